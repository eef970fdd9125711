package bus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/bus/blocks"
)

// copiesFolder is where copies of damaged files are kept, below the bus's folder.
const copiesFolder = "damaged"

// inspection is what was found in the streams' files before a session of the server.
type inspection struct {
	damage map[string][]blocks.Damage // by stream
	barred map[string]error           // the streams that the server was kept off
	sealed map[string]sealed          // by stream
	stale  int                        // streams whose index was older than their messages
}

// streams is the folder of the server's streams.
func (o *Options) streams() string {
	return filepath.Join(o.Dir, server.JetStreamStoreDir, account, "streams")
}

func (o *Options) folder(stream string) blocks.Folder {
	return blocks.Folder{Path: filepath.Join(o.streams(), stream), Copies: filepath.Join(o.Dir, copiesFolder), Disk: o.Disk}
}

// inspect looks at the streams' files while no server runs, and mends what is damaged. After
// a failed session they are read from the disk itself.
func inspect(ctx context.Context, o Options, failed bool) (*inspection, error) {
	list, err := os.ReadDir(o.streams())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look at the log's files: %w", err)
	}
	in := &inspection{damage: map[string][]blocks.Damage{}, barred: map[string]error{}, sealed: map[string]sealed{}}
	known := seals(ctx, o)
	var mu sync.Mutex
	var errs []error
	var workers sync.WaitGroup
	turns := make(chan struct{}, recoveryTasks)
	for _, e := range list {
		stream := e.Name()
		if !e.IsDir() || strings.HasPrefix(stream, ".") { // the server removes those
			continue
		}
		workers.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			f := o.folder(stream)
			seals := known[stream]
			if failed {
				f.Forget()
				seals = nil
			}
			found, stale, err := f.Check(seals)
			var errBar error
			if err != nil {
				errBar = f.Bar()
			}
			mu.Lock()
			defer mu.Unlock()
			in.sealed[stream] = sealedOf(known[stream])
			if stale {
				in.stale++
			}
			if len(found) > 0 {
				in.damage[stream] = found
			}
			if err != nil {
				in.barred[stream] = err
				errs = append(errs, errBar)
			}
		})
	}
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("keep the server off damaged files: %w", err)
	}
	in.tell(o)
	return in, nil
}

func (in *inspection) tell(o Options) {
	if in.stale > 0 {
		o.Log.Info("the log was checked after an unclean stop", "partitions", in.stale)
	}
	for stream, found := range in.damage {
		for _, d := range found {
			o.Log.Error("file of the log is damaged, what is whole in it is kept", "stream", stream, "file", d.File, "copy", d.Copy, "first", d.First, "last", d.Last)
		}
	}
	for stream, err := range in.barred {
		o.Log.Error("files of the log cannot be read, the stream stays closed", "stream", stream, "error", err)
	}
}

// errUnopened is the error of a partition that cannot be opened for what its own files are.
type errUnopened struct{ cause error }

func (e *errUnopened) Error() string { return e.cause.Error() }
func (e *errUnopened) Unwrap() error { return e.cause }

// find looks for the partition's stream, or makes it; fresh tells that it is new.
func (p *Partition) find(ctx context.Context, s *session) (info jetstream.StreamInfo, fresh bool, err error) {
	if err := s.found.barred[p.stream()]; err != nil {
		return info, false, fmt.Errorf("read its files: %w", err)
	}
	info, err = s.info(ctx, p.stream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := p.bus.makeable(); err != nil {
			return info, false, err
		}
		if err = s.create(ctx, p.config(p.topic.Config())); err == nil {
			info, err = s.info(ctx, p.stream())
			fresh = info.State.LastSeq == 0 // else it was made upon its files
		}
	}
	if err != nil {
		return info, false, fmt.Errorf("open the stream of %s: %w", p.label, err)
	}
	return info, fresh, nil
}

// shut sets a partition that could not be opened aside, so that the others go on. What meta
// knows of it stays as it is.
func (p *Partition) shut(ctx context.Context, cause error) error {
	kept, err := p.kept(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.unopened = true
	p.logStart, p.next = kept.logStart, max(kept.next, kept.logStart)
	p.mu.Unlock()
	p.setAside(cause)
	return nil
}

// closed tells whether the partition was never opened.
func (p *Partition) closed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unopened
}

// note keeps what the inspection before a session found in the partition's files. p.mu is held.
func (p *Partition) note(found []blocks.Damage) {
	for _, d := range found {
		text := d.File
		if d.Copy != "" {
			text += ", of which a copy is kept as " + d.Copy
		}
		if len(p.files) < gapsMax {
			p.files = append(p.files, text)
		}
	}
}

// noteDamage tells the partitions what was found in their files before a new session.
func (b *Bus) noteDamage(found *inspection) {
	for _, p := range b.partitions() {
		p.mu.Lock()
		p.note(found.damage[p.stream()])
		p.mu.Unlock()
	}
}
