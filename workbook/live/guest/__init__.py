"""The guest's side without a guest: firmware, PCI and virtio drivers over qtest, vhost-user back ends."""
