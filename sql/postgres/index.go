//go:build duckdb_arrow

package postgres

import "tarn/embedded/sqltext"

// ofIndex tells by the first words of a statement whether it makes or drops an index that no constraint is.
func ofIndex(verbs []string) bool {
	return len(verbs) > 1 && (verbs[0] == "CREATE" || verbs[0] == "DROP") && verbs[1] == "INDEX"
}

// index answers CREATE and DROP INDEX, which programs write beside their tables: a table of the lake has none, and its answers are the
// same without, so they do nothing and say so. nil for other statements, and for a UNIQUE one, which would be a promise.
func (c *conn) index(in *sqltext.Reader, verbs []string) (*answer, error) {
	if !ofIndex(verbs) {
		return nil, nil
	}
	if in.Take("INDEX") && in.Peek().Kind == sqltext.End {
		return nil, in.Fault("the index's name")
	}
	c.warn("01000", "there are no indexes here: "+verbs[0]+" INDEX did nothing", "nothing is slower for it: files and groups of rows are chosen by the bounds of their columns")
	return &answer{tag: verbs[0] + " INDEX"}, nil
}
