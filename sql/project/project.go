// Package project applies the statements of a project folder, sql/*.sql, to a running
// Tarn: at the start, and again when a file changes. A statement whose tables are not there
// yet, as on the first start, is tried again until they are. Beside it are `tarn check`, which says what is wrong
// in a folder, and `tarn apply`, which compares it with a running Tarn and does what is left. It runs no statement
// itself.
package project

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/sqltext"
)

const (
	lookEvery    = time.Second
	fileBytesMax = 4 << 20
)

// Options of a project.
type Options struct {
	Dir   string // the project folder
	Exec  func(ctx context.Context, statement string) error
	Clock life.Clock
	Log   *slog.Logger
}

// Project is a part that keeps Tarn equal to the folder's statements.
type Project struct {
	o Options

	mu    sync.Mutex
	files map[string]*file // by path
}

type file struct {
	changed time.Time // its mtime and size when it was read
	size    int64
	text    string
	pending []sqltext.Statement // not yet applied, in order
	err     error
	since   time.Time
}

// New returns a project.
func New(o Options) *Project { return &Project{o: o, files: map[string]*file{}} }

// Name is "project".
func (p *Project) Name() string { return "project" }

// Run applies the files in order of name until ctx ends. Trouble in one file is told by
// Report and does not stop the others.
func (p *Project) Run(ctx context.Context, ready func()) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	p.look(ctx)
	ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			p.look(ctx)
		}
	}
}

func (p *Project) look(ctx context.Context) {
	paths, err := filepath.Glob(filepath.Join(p.o.Dir, "sql", "*.sql"))
	if err != nil {
		return // only for a malformed pattern, which this is not
	}
	there := map[string]bool{}
	for _, path := range paths {
		there[path] = true
		f := p.read(path)
		p.apply(ctx, path, f)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for path := range p.files {
		if !there[path] {
			delete(p.files, path)
		}
	}
}

// read takes a file in when it is new or has changed.
func (p *Project) read(path string) *file {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.files[path]
	if f == nil {
		f = &file{since: p.o.Clock.Now()}
		p.files[path] = f
	}
	info, err := os.Stat(path)
	if err == nil && info.ModTime().Equal(f.changed) && info.Size() == f.size {
		return f
	}
	f.pending, f.err = nil, err
	if err != nil {
		return f
	}
	f.changed, f.size = info.ModTime(), info.Size()
	f.text, f.pending, f.err = readFile(path)
	return f
}

// apply runs what is pending, in order, up to the first statement that fails.
func (p *Project) apply(ctx context.Context, path string, f *file) {
	for len(f.pending) > 0 && ctx.Err() == nil {
		err := p.o.Exec(ctx, f.pending[0].Text)
		p.mu.Lock()
		f.err = err
		if err == nil {
			line, _ := sqltext.Place(f.text, f.pending[0].Offset)
			p.o.Log.Info("applied", "file", filepath.Base(path), "line", line)
			f.pending = f.pending[1:]
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Report has a line for each file that is not applied whole.
func (p *Project) Report() []life.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []life.Status
	for path, f := range p.files {
		if f.err == nil {
			continue
		}
		s := life.Status{Name: "project:" + filepath.Base(path), State: life.Degraded, Since: f.since, Error: f.err.Error(), Hint: fault.HintOf(f.err)}
		if fault.CodeOf(f.err) == fault.NotFound {
			s.State, s.Hint = life.Starting, "tried again each second until its tables are there"
		}
		out = append(out, s)
	}
	return out
}
