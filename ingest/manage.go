package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/ingest/source"
)

// Connector is one of the room's connectors, for a door that shows and changes them.
type Connector struct {
	source.Status
	Class string            // its kind's; "" for a file that is not understood
	Keys  map[string]string // as its file has them, secrets among them; not to be changed
}

// Connectors lists the connectors in order of name.
func (g *Ingest) Connectors() []Connector {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []Connector
	for file, e := range g.entries {
		out = append(out, Connector{e.status(file), e.conn.kind.Class, e.conn.config.Keys})
	}
	slices.SortFunc(out, func(a, b Connector) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Kinds are the sorts of connectors that there are.
func (g *Ingest) Kinds() []source.Kind { return g.o.Kinds }

// Judge says what is wrong with a connector's keys and what else is to know of them, and of which kind it is. It looks at the
// source, and changes nothing. The error is that there is no such kind.
func (g *Ingest) Judge(ctx context.Context, name string, keys map[string]string) (source.Kind, []source.Finding, error) {
	c := connector{file: fileOf(name), config: source.Config{Name: name, Keys: keys, Folder: g.project()}, kinds: g.o.Kinds}
	if err := c.settle(); err != nil && c.kind.Class == "" {
		return source.Kind{}, nil, err
	}
	return c.kind, c.examine(ctx, g.others(false)), nil
}

// Create writes the file of a connector that Judge has passed, and starts it, or holds it in a state: source.Paused or
// source.Stopped.
func (g *Ingest) Create(ctx context.Context, who guard.Principal, name string, keys map[string]string, held string) error {
	if err := g.may(who, guard.Create, name); err != nil {
		return err
	}
	if g.o.Dir == "" {
		return fault.New(fault.Invalid, "this Tarn has no project folder, where the files of connectors are", "make one with a tarn.yaml, and start tarn up --project FOLDER")
	}
	text, err := fileText(name, keys)
	if err != nil {
		return err
	}
	g.writing.Lock()
	defer g.writing.Unlock()
	if files, err := connectorFiles(g.o.Dir); err == nil && len(files) >= connectorsMax {
		return fault.Newf(fault.TooLarge, "remove some, or run several Tarns", "there are %d connectors already", len(files))
	}
	if g.unknown(name) == nil {
		return fault.Newf(fault.Exists, "give it another name", "there is a connector %s already", name)
	}
	if held != "" {
		if err := g.noteHeld(ctx, name, held); err != nil {
			return err
		}
	}
	if err := writeNew(filepath.Join(g.o.Dir, fileOf(name)), text); err != nil {
		return errors.Join(err, g.noteHeld(ctx, name, ""))
	}
	if err := g.ask(ctx, ask{look: true, judged: name}); err != nil {
		return fault.Wrap(err, fault.Unavailable, "start connector "+name, "its file is written; it starts when the connectors run again")
	}
	return nil
}

// Configure gives a connector other keys, which Judge has passed, in its file: it is started anew with them.
func (g *Ingest) Configure(ctx context.Context, who guard.Principal, name string, keys map[string]string) error {
	if err := g.may(who, guard.Alter, name); err != nil {
		return err
	}
	g.writing.Lock()
	defer g.writing.Unlock()
	file, err := g.fileWith(name)
	if err != nil {
		return err
	}
	text, err := fileText(name, keys)
	if err != nil {
		return err
	}
	if err := writeOver(filepath.Join(g.o.Dir, file), text); err != nil {
		return err
	}
	if err := g.ask(ctx, ask{look: true, judged: name}); err != nil {
		return fault.Wrap(err, fault.Unavailable, "start connector "+name+" with other keys", "its file is written; it starts when the connectors run again")
	}
	return nil
}

// Delete ends a connector for good, with its file. Its topics and tables stay.
func (g *Ingest) Delete(ctx context.Context, who guard.Principal, name string) error {
	if err := g.may(who, guard.Drop, name); err != nil {
		return err
	}
	g.writing.Lock()
	defer g.writing.Unlock()
	if f := g.unknown(name); f != nil {
		return f
	}
	return g.ask(ctx, ask{remove: name})
}

// Hold stops a connector, now and at each start of Tarn: source.Paused or source.Stopped; "" lets it go on.
func (g *Ingest) Hold(ctx context.Context, who guard.Principal, name, state string) error {
	if err := g.may(who, guard.Alter, name); err != nil {
		return err
	}
	if f := g.unknown(name); f != nil {
		return f
	}
	return g.hold(ctx, name, state)
}

// Restart stops a connector and starts it where it stood. One that is held stays so.
func (g *Ingest) Restart(ctx context.Context, who guard.Principal, name string) error {
	if err := g.may(who, guard.Alter, name); err != nil {
		return err
	}
	if f := g.unknown(name); f != nil {
		return f
	}
	return g.ask(ctx, ask{restart: name})
}

// Position is where a connector stands; nil at its beginning.
func (g *Ingest) Position(ctx context.Context, name string) (source.Position, error) {
	return source.PositionOf(ctx, g.o.Meta, name)
}

// Place puts a connector that is held to another position; nil is its beginning, from where it takes a new snapshot.
func (g *Ingest) Place(ctx context.Context, who guard.Principal, name string, at source.Position) error {
	if err := g.may(who, guard.Alter, name); err != nil {
		return err
	}
	if f := g.unknown(name); f != nil {
		return f
	}
	if g.heldState(name) == "" {
		return fault.Newf(fault.Conflict, "PAUSE CONNECTOR "+name+" first", "connector %s runs", name)
	}
	if at == nil {
		return source.End(ctx, g.o.Meta, name)
	}
	return source.Place(ctx, g.o.Meta, name, at)
}

// Filled are the topics that a connector fills, with the offset after their last record.
func (g *Ingest) Filled(ctx context.Context, name string) (map[string]int64, error) {
	id, err := source.IDOf(ctx, g.o.Meta, name)
	if err != nil || id == "" {
		return nil, err
	}
	out := map[string]int64{}
	for _, t := range g.o.Bus.Topics() {
		if parts := t.Partitions(); t.Config().Source == id && len(parts) > 0 && parts[0].Next() > 0 {
			out[t.Name()] = parts[0].Next()
		}
	}
	return out, nil
}

// fileWith is the file of a connector.
func (g *Ingest) fileWith(name string) (string, error) {
	g.mu.Lock()
	for file, e := range g.entries {
		if e.conn.config.Name == name || e.conn.config.Name == "" && strings.TrimSuffix(file, ".json") == name {
			g.mu.Unlock()
			return file, nil
		}
	}
	g.mu.Unlock()
	return "", g.unknown(name)
}

// remove ends a connector with its file. It is Run's goroutine that calls it.
func (g *Ingest) remove(ctx context.Context, name string) error {
	file, err := g.fileWith(name)
	if err != nil {
		return err
	}
	path := filepath.Join(g.o.Dir, file)
	if err := errors.Join(os.Remove(path), disk.Local.SyncDir(g.o.Dir)); err != nil {
		return fault.Wrap(err, fault.Unavailable, "remove connector file "+file, "check the rights on the project's folder connectors")
	}
	g.entry(file).stop()
	g.drop(file)
	if err := g.end(ctx, name); err != nil {
		return err
	}
	g.clear(ctx)
	return nil
}

// restart stops a connector and starts it. It is Run's goroutine that calls it.
func (g *Ingest) restart(ctx context.Context, name string) {
	file, err := g.fileWith(name)
	if err != nil {
		return // it has gone meanwhile
	}
	switch e := g.entry(file); {
	case e.halted != "":
	case e.unstarted:
		g.retried(file, e, g.start(ctx, e.text, e.conn))
	case e.runner != nil:
		e.stop()
		started := g.start(ctx, e.text, e.conn)
		if e.fault != nil { // its file has changed to what is not understood
			started.fault = e.fault
		}
		g.put(file, started)
	}
}

// fileText is the text of a connector's file.
func fileText(name string, keys map[string]string) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document{name, anyOf(keys)}); err != nil {
		return nil, err
	}
	if text.Len() > connectorBytesMax {
		return nil, fault.Newf(fault.TooLarge, "shorten its keys", "the file of connector %s would have more than %d bytes", name, connectorBytesMax)
	}
	return text.Bytes(), nil
}

func anyOf(keys map[string]string) map[string]any {
	out := make(map[string]any, len(keys))
	for k, v := range keys {
		out[k] = v
	}
	return out
}
