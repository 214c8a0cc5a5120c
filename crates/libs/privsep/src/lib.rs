//! Users, groups, chroot, capabilities, limits, descriptors, running commands.
