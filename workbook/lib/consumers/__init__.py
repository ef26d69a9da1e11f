"""Who consumes memslots: KVM and the vhost back ends."""
