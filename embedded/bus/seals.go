package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"tarn/embedded/bus/blocks"
	"tarn/embedded/meta"
)

// sealed tells which files of a partition's stream have seals in meta: those from first to last, but for what could not
// be sealed.
type sealed struct {
	gen         *generation
	first, last int
}

// sealKey is the key of a stream's file in meta.
func sealKey(stream string, file int) string { return stream + "/" + strconv.Itoa(file) }

// seals reads what is known of the streams' files, and forgets what is known of files that are gone. They may be lost.
func seals(ctx context.Context, o Options) map[string]map[int]blocks.Seal {
	kept, err := o.Meta.List(ctx, meta.Sealed)
	if err != nil {
		o.Log.Warn("what is known of the log's files cannot be read, all are read instead", "error", err)
		return nil
	}
	out := map[string]map[int]blocks.Seal{}
	var gone []meta.Entry
	for _, e := range kept {
		stream, number := filepath.Split(e.Key)
		stream = filepath.Clean(stream)
		var s blocks.Seal
		n, err := strconv.Atoi(number)
		if err == nil {
			err = json.Unmarshal(e.Value, &s)
		}
		if err == nil {
			_, err = os.Stat(o.folder(stream).File(n))
		}
		if err != nil {
			gone = append(gone, meta.Entry{Bucket: meta.Sealed, Key: e.Key})
			continue
		}
		if out[stream] == nil {
			out[stream] = map[int]blocks.Seal{}
		}
		out[stream][n] = s
	}
	if len(gone) > 0 {
		if err := o.Meta.Put(ctx, gone...); err != nil {
			o.Log.Warn("what is known of files that are gone is not forgotten", "error", err)
		}
	}
	return out
}

// sealedOf is which of a stream's files have seals.
func sealedOf(known map[int]blocks.Seal) (out sealed) {
	for n := range known {
		out.last = max(out.last, n)
		if out.first == 0 || n < out.first {
			out.first = n
		}
	}
	return out
}

// seal keeps in meta what is known of the files to which the server appends no more.
func (p *Partition) seal(ctx context.Context) error {
	gen := p.gen.Load()
	if p.sealed.gen != gen {
		s, _ := p.bus.session()
		p.sealed = s.found.sealed[gen.stream]
		p.sealed.gen = gen
	}
	folder := p.bus.o.folder(gen.stream)
	fresh, last, first, err := folder.Seal(p.sealed.last)
	if err != nil {
		return err
	}
	var entries []meta.Entry
	for n, s := range fresh {
		if p.bus.o.Fsync == FsyncInterval { // with always, each message is synced
			if err := p.bus.o.Disk.Sync(folder.File(n)); err != nil {
				return err
			}
		}
		value, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("file %d of %s: %w", n, gen.stream, err)
		}
		entries = append(entries, meta.Entry{Bucket: meta.Sealed, Key: sealKey(gen.stream, n), Value: value})
	}
	for n := p.sealed.first; n > 0 && n < min(first, p.sealed.last+1); n++ { // purged
		entries = append(entries, meta.Entry{Bucket: meta.Sealed, Key: sealKey(gen.stream, n)})
	}
	if len(entries) > 0 {
		if err := p.bus.o.Meta.Put(ctx, entries...); err != nil {
			return err
		}
	}
	p.sealed.first, p.sealed.last = first, last
	return nil
}
