package ingest

import (
	"context"
	"time"

	"tarn/embedded/fault"
	"tarn/ingest/source"
)

// A connector has ended when its file is missing in absentLooks looks: an editor or a
// checkout puts files aside for a moment. What ended ones left in a database that is locked
// or away is tried again after clearAgain.
const (
	absentLooks = 3
	clearAgain  = time.Minute
)

// endAbsent ends the connectors whose file has been gone for a while, also those whose file
// went while Tarn was down: a file that is not understood may then be the one that is missing.
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
	for name, k := range known {
		file, loaded := files[name]
		if seen[file] || !loaded && (unclear || k.Folder != g.project()) {
			delete(g.absent, name)
			continue
		}
		if g.absent[name]++; g.absent[name] < absentLooks {
			continue
		}
		if loaded {
			g.entry(file).stop()
			g.drop(file)
		}
		if err := source.End(ctx, g.o.Meta, name); err != nil {
			return err
		}
		delete(g.absent, name)
		g.o.Log.Info("connector ended: its file is gone", "source", name)
	}
	return nil
}

// clear takes what ended connectors left out of their databases.
func (g *Ingest) clear(ctx context.Context) {
	if g.o.Clock.Now().Before(g.clearAt) {
		return
	}
	if err := source.Clear(ctx, g.o.Meta, Kinds(), g.reads); err != nil {
		g.clearAt = g.o.Clock.Now().Add(clearAgain)
		g.o.Log.Warn("ended connectors left Tarn's triggers in a database; they are taken out when it can be written", "error", err)
	}
}

// reads tells whether a connector of the same name reads the same database now.
func (g *Ingest) reads(c source.Config) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.entries {
		if e.conn.config.Name == c.Name && e.conn.config.Path("database.path") == c.Path("database.path") {
			return true
		}
	}
	return false
}
