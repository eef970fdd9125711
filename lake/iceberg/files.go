//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"sync"

	iceio "github.com/apache/iceberg-go/io"

	"tarn/embedded/disk"
	"tarn/lake/table"
)

// fileIO is Iceberg's file IO over embedded/disk: a file that was closed survives a
// power cut (rule 9). It remembers what it made, so that a commit which failed leaves
// nothing behind, and the first error of the disk, which the library's writers may put
// words of their own in the place of.
type fileIO struct {
	disk *disk.FS
	root table.Root
	live *inFlight // nil where nothing is swept

	mu     sync.Mutex
	made   []string
	failed error
}

// tell remembers an error of the disk.
func (f *fileIO) tell(err error) error {
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.failed == nil {
			f.failed = err
		}
	}
	return err
}

// because adds the disk's own error to one that does not have it.
func (f *fileIO) because(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil || f.failed == nil || errors.Is(err, f.failed) {
		return err
	}
	return fmt.Errorf("%w: %w", err, f.failed)
}

// written is a file that tells its errors.
type written struct {
	*disk.File
	io *fileIO
}

func (w *written) Write(p []byte) (int, error) {
	n, err := w.File.Write(p)
	return n, w.io.tell(err)
}

func (w *written) ReadFrom(r io.Reader) (int64, error) {
	n, err := w.File.ReadFrom(r)
	return n, w.io.tell(err)
}

func (w *written) Close() error { return w.io.tell(w.File.Close()) }

// Open implements iceio.IO.
func (f *fileIO) Open(uri string) (iceio.File, error) {
	path, err := f.root.Path(uri)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: uri, Err: err}
	}
	return os.Open(path)
}

// ReadFile implements iceio.ReadFileIO.
func (f *fileIO) ReadFile(uri string) ([]byte, error) {
	path, err := f.root.Path(uri)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: uri, Err: err}
	}
	return os.ReadFile(path)
}

// Create implements iceio.WriteFileIO.
func (f *fileIO) Create(uri string) (iceio.FileWriter, error) {
	path, err := f.root.Path(uri)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: uri, Err: err}
	}
	f.mu.Lock()
	f.made = append(f.made, path)
	f.live.begin(path)
	f.mu.Unlock()
	file, err := f.disk.Create(path)
	if err != nil {
		return nil, f.tell(err)
	}
	return &written{file, f}, nil
}

// WriteFile implements iceio.WriteFileIO.
func (f *fileIO) WriteFile(uri string, content []byte) error {
	file, err := f.Create(uri)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}

// Remove implements iceio.IO.
func (f *fileIO) Remove(uri string) error {
	path, err := f.root.Path(uri)
	if err != nil {
		return &fs.PathError{Op: "remove", Path: uri, Err: err}
	}
	return f.disk.Remove(path)
}

// undo removes what was made. A file that cannot be removed is an orphan: it costs
// room until upkeep finds it, and nothing refers to it.
func (f *fileIO) undo() (left int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range f.made {
		if f.disk.Remove(path) != nil {
			left++
		}
	}
	f.live.end(f.made)
	f.made = nil
	return left
}

type ioKey struct{}

// withIO makes the library's own calls write through f: its scheme registry is one for
// the process, so the file IO of one lake travels in the context.
func withIO(ctx context.Context, f *fileIO) context.Context {
	return context.WithValue(ctx, ioKey{}, f)
}

// takeFileScheme replaces the library's file IO, which syncs nothing, by ours. The
// registry belongs to the process, so this is done once however many lakes it opens.
var takeFileScheme = sync.OnceFunc(func() {
	ours := func(ctx context.Context, _ *url.URL, _ map[string]string) (iceio.IO, error) {
		if f, ok := ctx.Value(ioKey{}).(*fileIO); ok {
			return f, nil
		}
		return &fileIO{disk: disk.Local}, nil
	}
	for _, scheme := range []string{"file", ""} {
		iceio.Unregister(scheme)
		iceio.Register(scheme, ours)
	}
})
