package nexmark

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const fileBuffer = 1 << 20

// WriteFiles writes the first n events of a seed as JSON lines into a folder that is not there yet:
// DIR/<topic>/p<partition>.json. What the log has of a partition is what its file has.
func WriteFiles(dir string, n int, seed int64) (err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(made)) }()
	if err := writeFiles(made, n, seed); err != nil {
		return err
	}
	if err := os.Chmod(made, 0o755); err != nil { //nolint:gosec // data for other programs
		return err
	}
	return os.Rename(made, dir)
}

func writeFiles(dir string, n int, seed int64) (err error) {
	out := map[string][]*bufio.Writer{}
	for _, topic := range Topics {
		if err := os.Mkdir(filepath.Join(dir, topic), 0o755); err != nil {
			return err
		}
		for p := range Partitions {
			f, err := os.Create(filepath.Join(dir, topic, fmt.Sprintf("p%d.json", p)))
			if err != nil {
				return err
			}
			w := bufio.NewWriterSize(f, fileBuffer)
			defer func() { err = errors.Join(err, w.Flush(), f.Close()) }()
			out[topic] = append(out[topic], w)
		}
	}
	for e := range Events(n, seed) {
		w := out[e.Topic][e.Partition]
		_, _ = w.Write(e.Value) // Flush tells the error
		_ = w.WriteByte('\n')
	}
	return nil
}
