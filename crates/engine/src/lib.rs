//! The containers of this host as users of Docker know them: names, restarts, health, volumes, processes.
