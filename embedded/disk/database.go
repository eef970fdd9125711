package disk

import (
	"errors"
	"io"
	"os"
)

// CopyDatabase copies a SQLite database that nobody writes to, with its log where it has one,
// to where it can be opened without a trace beside the first.
func CopyDatabase(to, from string) error {
	if err := copyFile(to, from); err != nil {
		return err
	}
	if err := copyFile(to+"-wal", from+"-wal"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
