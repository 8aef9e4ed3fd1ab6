"""The commands of `smokehouse`, a short file each: data on stdout, talk on stderr."""
