package ingest

import (
	"path/filepath"

	"tarn/embedded/fault"
	"tarn/ingest/source"
)

// aloneOf is the file that a connector has for itself, by the one path of all that name it, and its key; "" for none.
func aloneOf(c *connector) (key, path string) {
	if c.kind.Alone == nil {
		return "", ""
	}
	if key, path = c.kind.Alone(c.config); path == "" {
		return "", ""
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(folder, filepath.Base(path))
	}
	return key, filepath.Clean(path)
}

// taken is what is wrong with a connector, and with which key, that names a file which another has for itself; nil for nothing.
func taken(c *connector, others []connector) (key string, why *fault.Error) {
	key, path := aloneOf(c)
	if path == "" {
		return "", nil
	}
	for i := range others {
		if name := others[i].config.Name; name != c.config.Name {
			if _, other := aloneOf(&others[i]); other == path {
				return key, fault.Newf(fault.Conflict, "give each connector a file of its own", "%s is %s, which is that of connector %s, and one would take what is for the other", key, path, name)
			}
		}
	}
	return "", nil
}

// takenFinding is taken as a finding; none for nothing.
func takenFinding(c *connector, others []connector) []source.Finding {
	key, why := taken(c, others)
	if why == nil {
		return nil
	}
	return []source.Finding{source.FindingOf(why, true, key)}
}

// others are the connectors that there are; running, those of them that run.
func (g *Ingest) others(running bool) (list []connector) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.entries {
		if !running || e.runner != nil && e.halted == "" {
			list = append(list, e.conn)
		}
	}
	return list
}
