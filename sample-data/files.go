package sampledata

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// What the port's systems write beside the database, under the sample's folder.
const (
	GateFolder     = "gate"      // access.log, and those before it
	ManifestFolder = "manifests" // a CSV file a day
	gateLog        = "access.log"
	logBytesMax    = 64 << 10 // a log that is larger gets another name
	logsKept       = 6
	manifestsKept  = 60
)

// write writes what a step has for files.
func (h happened) write(dir string) error {
	err := writeLines(dir, h.lines)
	if h.manifest != nil {
		err = errors.Join(err, h.manifest.drop(dir))
	}
	return err
}

// writeLines appends to the gates' log, as a web server does.
func writeLines(dir string, lines []gateLine) error {
	if len(lines) == 0 {
		return nil
	}
	path := filepath.Join(dir, GateFolder, gateLog)
	if info, err := os.Stat(path); err == nil && info.Size() > logBytesMax {
		if err := rotate(path); err != nil {
			return err
		}
	}
	var content []byte
	for _, l := range lines {
		content = append(append(content, l.String()...), '\n')
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// rotate gives the log another name, as logrotate does.
func rotate(path string) error {
	for n := logsKept; n > 0; n-- {
		from := path
		if n > 1 {
			from = fmt.Sprintf("%s.%d", path, n-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", path, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// drop puts a manifest into its folder, whole, and takes the oldest away.
func (m *manifest) drop(dir string) error {
	path := filepath.Join(dir, ManifestFolder, m.name())
	if err := os.WriteFile(path+".tmp", []byte(m.String()), 0o640); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	there, err := filepath.Glob(filepath.Join(dir, ManifestFolder, "*.csv")) // in the order of their days
	for i := 0; i < len(there)-manifestsKept; i++ {
		err = errors.Join(err, os.Remove(there[i]))
	}
	return err
}
