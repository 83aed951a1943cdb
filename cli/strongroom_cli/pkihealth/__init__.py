"""What ``pki health-check`` looks at: one function a check, from what the mount says to findings."""
