package ingest

import (
	"context"
	"time"

	"tarn/embedded/fault"
	"tarn/ingest/source"
)

// A connector whose file is missing is stopped after absentLooks looks, and has ended after
// endLooks: an editor, a checkout or a late mount may put files aside for a while. What
// ended ones left in a database that is locked or away is tried again after clearAgain,
// which doubles up to clearAgainMax.
const (
	absentLooks   = 3
	endLooks      = 30
	clearAgain    = time.Minute
	clearAgainMax = time.Hour
)

// endAbsent stops, and then ends, the connectors whose file is gone, also those whose file
// went while Tarn was down. None ends while a file that is not understood may be its own, or
// while the folder has lost all its files at once.
func (g *Ingest) endAbsent(ctx context.Context, seen map[string]bool) error {
	files := map[string]string{} // by connector name
	unclear := false
	for _, file := range g.files() {
		e := g.entry(file)
		switch {
		case !seen[file] && e.runner == nil:
			g.drop(file)
		case e.conn.config.Name == "" && fault.CodeOf(e.fault) != fault.Conflict:
			unclear = true
		default:
			files[e.conn.config.Name] = file
		}
	}
	known, err := source.Known(ctx, g.o.Meta)
	if err != nil {
		return err
	}
	unclear = unclear || len(seen) == 0 && len(known) > 1
	for name, folder := range known {
		file, loaded := files[name]
		if seen[file] || folder != g.project() {
			delete(g.absent, name)
			continue
		}
		g.absent[name]++
		switch n := g.absent[name]; {
		case n == 1:
			g.reconsider() // a file that was refused may be its own under another name
		case n >= absentLooks && loaded:
			g.entry(file).stop()
			g.drop(file)
			g.o.Log.Info("connector stopped: its file is gone", "source", name, "file", file)
		case n >= endLooks && !unclear:
			if err := g.end(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// end ends a connector whose file is gone.
func (g *Ingest) end(ctx context.Context, name string) error {
	// In this order: nothing finds the pause of a connector that has ended, and one of its name that comes later starts.
	if err := g.noteHeld(ctx, name, ""); err != nil {
		return err
	}
	if err := source.End(ctx, g.o.Meta, name); err != nil {
		return err
	}
	delete(g.absent, name)
	g.o.Log.Info("connector ended", "source", name)
	return nil
}

// reconsider has files read again that could not have their connector.
func (g *Ingest) reconsider() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.entries {
		if fault.CodeOf(e.fault) == fault.Conflict {
			e.text = ""
		}
	}
}

// clear takes what ended connectors left out of their databases.
func (g *Ingest) clear(ctx context.Context) {
	// No longer than it ever waits, when the clock was set back meanwhile.
	if wait := g.clearAt.Sub(g.o.Clock.Now()); wait > 0 && wait <= clearAgainMax {
		return
	}
	err := source.Clear(ctx, g.o.Meta, g.o.Kinds, g.reads)
	if err == nil {
		g.clearWait = clearAgain
		return
	}
	g.clearAt = g.o.Clock.Now().Add(g.clearWait)
	g.clearWait = min(2*g.clearWait, clearAgainMax)
	g.o.Log.Warn("ended connectors left Tarn's triggers in a database; they are taken out when it can be written", "error", err)
}

// reads tells whether a connector of the same name reads the same database now.
func (g *Ingest) reads(c source.Config) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.entries {
		if e.conn.config.Name == c.Name && e.conn.config.SameDatabase(c) {
			return true
		}
	}
	return false
}
