//go:build duckdb_arrow

package postgres

import (
	"cmp"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// begin notes what a ROLLBACK goes back to.
func (s *settings) begin() {
	s.before, s.hidden = maps.Clone(s.now), map[string]string{"transaction_read_only": "off"}
	s.now["transaction_read_only"] = s.now["default_transaction_read_only"]
}

// end ends a transaction: what SET LOCAL has set is as it was before, and after a ROLLBACK all is.
func (s *settings) end(committed bool) {
	if s.before == nil {
		return
	}
	if !committed {
		s.now = s.before
	} else {
		maps.Copy(s.now, s.hidden)
	}
	s.before, s.hidden = nil, nil
	s.zone, _, _ = zoneOf(s.now["timezone"])
}

// ended tells the client of settings that a transaction's end has changed.
func (c *conn) ended(committed bool) {
	was := maps.Clone(c.settings.now)
	c.settings.end(committed)
	c.toldSince(was)
}

// toldSince tells the client of what it knows that is no longer as it was.
func (c *conn) toldSince(was map[string]string) {
	for name, value := range c.settings.now {
		if was[name] != value {
			_ = c.changed(name, nil)
		}
	}
}

// put is SET of a value, and SET LOCAL, which lasts to the transaction's end and is nothing outside of one.
func (c *conn) put(name, value string, local bool) error {
	lower := strings.ToLower(name)
	was := c.settings.now[lower]
	local = local || lower == "transaction_read_only"
	if local && c.settings.before == nil {
		c.warn("25P01", "SET LOCAL can only be used in transaction blocks", "")
		was := *c.settings
		was.now = maps.Clone(was.now)
		return was.set(name, value) // for its error
	}
	if err := c.changed(name, c.settings.set(name, value)); err != nil {
		return err
	}
	if !local {
		delete(c.settings.hidden, lower)
	} else if _, hidden := c.settings.hidden[lower]; !hidden {
		c.settings.hidden[lower] = was
	}
	return nil
}

func (c *conn) warn(code, message, hint string) {
	c.be.Send(&pgproto3.NoticeResponse{Severity: "WARNING", SeverityUnlocalized: "WARNING", Code: code, Message: message, Hint: hint})
}

// optionsOf are the settings of the parameter options of a log-in: -c name=value and --name=value, in which a backslash stands before a
// blank. What else PostgreSQL takes there is not for a client of this door.
func optionsOf(text string) (out [][2]string) {
	const blank = "\x00"
	fields := strings.Fields(strings.NewReplacer(`\\`, `\`, `\ `, blank).Replace(text))
	for i := 0; i < len(fields); i++ {
		said := fields[i]
		switch {
		case said == "-c" && i+1 < len(fields):
			i++
			said = fields[i]
		case strings.HasPrefix(said, "--"):
			said = strings.TrimPrefix(said, "--")
		case strings.HasPrefix(said, "-c"):
			said = strings.TrimPrefix(said, "-c")
		default:
			continue
		}
		if name, value, ok := strings.Cut(strings.ReplaceAll(said, blank, " "), "="); ok {
			out = append(out, [2]string{strings.ReplaceAll(name, "-", "_"), value})
		}
	}
	return out
}

// config is a column of a SELECT that asks for a setting, or sets one.
type config struct {
	name, value string
	sets, local bool
	as          string // the column's name
}

// configs reads SELECT set_config('name', 'value', is_local), also beside others and current_setting('name'), of which asyncpg
// makes one statement; false where there is something else, or nothing is set.
func configs(text string) (all []config, sets bool) {
	in, err := sqltext.NewReader(text)
	if err != nil || !in.Take("SELECT") {
		return nil, false
	}
	return columnsOf(in)
}

// columnsOf are the columns behind SELECT.
func columnsOf(in *sqltext.Reader) (all []config, sets bool) {
	for {
		one, ok := configOf(in)
		if !ok {
			return nil, false
		}
		all, sets = append(all, one), sets || one.sets
		if !in.Take(",") {
			return all, sets && in.Done() == nil
		}
	}
}

func configOf(in *sqltext.Reader) (one config, ok bool) {
	in.Take("pg_catalog", ".")
	one.sets = in.Take("set_config", "(")
	if !one.sets && !in.Take("current_setting", "(") {
		return one, false
	}
	name := in.Next()
	one.name, one.as, ok = name.Value(), "current_setting", name.Kind == sqltext.String
	if one.sets {
		ok = ok && in.Take(",")
		value := in.Next()
		one.value, one.as = value.Value(), "set_config"
		ok = ok && value.Kind == sqltext.String && in.Take(",")
		one.local = in.Take("true")
		ok = ok && (one.local || in.Take("false"))
	}
	ok = ok && in.Take(")")
	if ok && in.Take("AS") {
		as := in.Next()
		one.as, ok = cmp.Or(as.Name(), one.as), as.Kind == sqltext.Word || as.Kind == sqltext.Quoted
	}
	return one, ok
}

// config answers the SELECT that configs reads, from behind that word; nil for another one.
func (c *conn) config(in *sqltext.Reader) (*answer, error) {
	all, ok := columnsOf(in)
	if !ok {
		return nil, nil
	}
	out := &answer{tag: "SELECT 1"}
	for _, of := range all {
		if of.sets {
			if err := c.put(of.name, of.value, of.local); err != nil {
				return nil, err
			}
		}
		value, known := c.settings.get(of.name)
		if !known {
			return nil, stateError{"42704", fault.Newf(fault.NotFound, "", "unrecognized configuration parameter %q", of.name)}
		}
		out.names, out.row = append(out.names, of.as), append(out.row, value)
	}
	return out, nil
}

// values are the row of an answer.
func (a *answer) values() *pgproto3.DataRow {
	out := &pgproto3.DataRow{}
	for _, v := range a.row {
		out.Values = append(out.Values, []byte(v))
	}
	return out
}
