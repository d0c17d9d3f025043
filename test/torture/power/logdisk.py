"""
A file system with one file, `disk`, that logs every write and every flush that reaches it: what a power cut may leave is
the base image with a beginning of that log. Usage: python3 logdisk.py IMAGE LOG MOUNTPOINT

The log is a row of records: offset and length as 64-bit numbers (little-endian), then the bytes. A flush has the offset -1.
"""

import errno
import os
import stat
import struct
import sys

try:
    from fusepy import FUSE, FuseOSError, Operations
except ImportError:
    from fuse import FUSE, FuseOSError, Operations


class LogDisk(Operations):
    def __init__(self, image, log):
        self.image = os.open(image, os.O_RDWR)
        self.size = os.fstat(self.image).st_size
        self.log = open(log, "wb", buffering=0)

    def getattr(self, path, fh=None):
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        if path == "/disk":
            return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": self.size}
        raise FuseOSError(errno.ENOENT)

    def readdir(self, path, fh):
        return [".", "..", "disk"]

    def read(self, path, size, offset, fh):
        return os.pread(self.image, size, offset)

    def write(self, path, data, offset, fh):
        self.log.write(struct.pack("<qq", offset, len(data)) + data)
        return os.pwrite(self.image, data, offset)

    def fsync(self, path, datasync, fh):
        self.log.write(struct.pack("<qq", -1, 0))
        return 0

    def flush(self, path, fh):
        return 0


FUSE(LogDisk(sys.argv[1], sys.argv[2]), sys.argv[3], foreground=True, nothreads=True, direct_io=True, big_writes=True)
