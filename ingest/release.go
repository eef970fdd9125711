package ingest

import (
	"context"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/ingest/source"
)

// pausable reads the name of a connector that is to be paused or resumed, and whether its tables are to be released.
func (g *Ingest) pausable(in *sqltext.Reader, paused bool, who guard.Principal) (name string, released bool, err error) {
	n := spoken{at: in.Offset()}
	parts, err := in.Name()
	if err != nil {
		return "", false, err
	}
	n.text = strings.Join(parts, ".")
	released = paused && in.Take("RELEASE", "TABLES")
	if err := in.Done(); err != nil {
		return "", false, err
	}
	return n.text, released, g.known(in, n, who, guard.Alter)
}

// release takes what keeps the tables of a paused connector from being altered out of its database: for a migration. When it
// is resumed, its tables are snapshotted anew.
func (g *Ingest) release(ctx context.Context, name string) error {
	c, ok := g.conn(name)
	if !ok {
		return fault.Newf(fault.Invalid, "mend its file first", "the file of connector %s is not understood", name)
	}
	err := source.Release(ctx, g.o.Meta, c.kind, c.config)
	if err != nil && fault.CodeOf(err) != fault.Invalid {
		return fault.Wrap(err, fault.CodeOf(err), "release the tables of connector "+name, "it is paused; say it again when the database can be written")
	}
	return err
}

// conn is the connector of a name; ok is false for one whose file is not understood.
func (g *Ingest) conn(name string) (c connector, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.entries {
		if e.conn.config.Name == name {
			return e.conn, e.conn.kind.Class != ""
		}
	}
	return connector{}, false
}
