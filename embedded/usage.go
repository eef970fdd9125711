package embedded

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"
)

// walkLimit is how long one look at the sizes of folders may take; what it has not seen by then is not in them.
const walkLimit = 2 * time.Second

// Usage is what Tarn takes of the machine. All are bytes; a negative number is not known.
type Usage struct {
	DiskFree    int64    `json:"disk_free"`
	DiskReserve int64    `json:"disk_reserve"` // below it doors, sources and the bus stop
	Data        string   `json:"data"`         // the data folder
	Folders     []Folder `json:"folders"`      // in it
	Partly      bool     `json:"partly"`       // they were too many files to look at all

	Memory  int64   `json:"memory"`   // the budget
	Process int64   `json:"process"`  // what the process has of it now
	GoInUse int64   `json:"go_bytes"` // what Go's share holds now
	Shares  []Share `json:"shares"`
}

// Folder is a folder of the data folder.
type Folder struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Files int64  `json:"files"`
}

// Share is a part of the memory budget.
type Share struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// Usage looks at disk and memory. It reads the data folder's directories: call it seldom.
func (f *Floor) Usage(ctx context.Context) Usage {
	s := f.Config.Shares()
	u := Usage{
		DiskFree: -1, DiskReserve: f.Config.DiskReserve, Data: f.Dir.Path(), Memory: f.Config.Memory, Process: residentBytes(), GoInUse: goBytes(),
		Shares: []Share{{"go", s.Go}, {"query", s.Query}, {"lake", s.Lake}, {"pipelines", s.Pipelines}},
	}
	if free, err := f.Disk.Free(f.Dir.Path()); err == nil {
		u.DiskFree = int64(free) //nolint:gosec // no disk is so large
	}
	ctx, cancel := context.WithTimeout(ctx, walkLimit)
	defer cancel()
	u.Folders = folders(ctx, f.Dir.Path())
	u.Partly = ctx.Err() != nil
	return u
}

// folders are the sizes of what lies in dir, the largest first. A file that goes meanwhile is left out.
func folders(ctx context.Context, dir string) []Folder {
	byName := map[string]*Folder{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // a folder that cannot be read has no size
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		inside, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(inside, string(filepath.Separator))
		if byName[name] == nil {
			byName[name] = &Folder{Name: name}
		}
		byName[name].Bytes += info.Size()
		byName[name].Files++
		return nil
	})
	out := make([]Folder, 0, len(byName))
	for _, f := range byName {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Folder) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// residentBytes is what the process has in memory, where the system tells it so.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return -1
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return -1
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return -1
	}
	return pages * int64(os.Getpagesize())
}

// goBytes is what Go's limit is held against.
func goBytes() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64()) //nolint:gosec // no memory is so large
}
