//! Volumes of this host: directories that outlive the containers which mount them.
