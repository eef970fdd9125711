package fault

import (
	"errors"
	"syscall"
)

// The hints for a disk that takes no writes.
const (
	hintFull     = "free some disk space; writing goes on by itself"
	hintQuota    = "raise the quota of the data folder or make room in it; writing goes on by itself"
	hintReadOnly = "the disk is read-only, as a kernel makes one that it distrusts: look at the system's log, stop Tarn, check the disk and mount it anew"
	hintWrites   = "look at the system's log for what ails the disk; writing goes on by itself once it takes writes"
)

// sqliteError is an error of SQLite's driver, which hides the system's own.
type sqliteError interface {
	error
	Code() int
}

// SQLite's result codes of a disk that takes no writes.
const (
	sqliteReadOnly = 8
	sqliteFull     = 13

	sqliteIO       = 10
	sqliteWrite    = sqliteIO | 3<<8
	sqliteFsync    = sqliteIO | 4<<8
	sqliteDirFsync = sqliteIO | 5<<8
	sqliteTruncate = sqliteIO | 6<<8
	sqliteShmOpen  = sqliteIO | 18<<8
	sqliteShmSize  = sqliteIO | 19<<8
)

// diskHint is what helps against an error of a disk that takes no writes, "" for others.
func diskHint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return hintFull
	case errors.Is(err, syscall.EDQUOT):
		return hintQuota
	case errors.Is(err, syscall.EROFS):
		return hintReadOnly
	}
	e, ok := errors.AsType[sqliteError](err)
	if !ok {
		return ""
	}
	switch code := e.Code(); {
	case code&0xff == sqliteFull:
		return hintFull
	case code&0xff == sqliteReadOnly:
		return hintReadOnly
	case code == sqliteWrite, code == sqliteFsync, code == sqliteDirFsync, code == sqliteTruncate, code == sqliteShmOpen, code == sqliteShmSize:
		return hintWrites
	}
	return ""
}

// InDoubt tells whether a transaction of SQLite that failed with this error may be there
// after a crash all the same: it was written whole, and only not synced.
func InDoubt(err error) bool {
	e, ok := errors.AsType[sqliteError](err)
	return ok && e.Code()&0xff == sqliteIO
}
