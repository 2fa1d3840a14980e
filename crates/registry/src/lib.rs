//! Speaks with registries: names of images, manifests, blobs, credentials; fetches and pushes.
