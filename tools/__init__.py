"""Programs for developers: the local cluster, its images, the demonstration. Nothing here is shipped."""
