package sqltext

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/config"
)

// Execute is ALTER TABLE table EXECUTE action [(threshold => 'value')] [DRY RUN], which is
// also how Trino spells it.
type Execute struct {
	Table  Table
	Action string        // compact, expire_snapshots or remove_orphan_files
	Bytes  int64         // file_size_threshold; 0 = not given
	Age    time.Duration // retention_threshold; 0 = not given
	DryRun bool
}

// procedure is what may follow EXECUTE, and the one argument that it takes.
type procedure struct{ action, argument string }

const (
	sizeArgument = "file_size_threshold"
	ageArgument  = "retention_threshold"
)

var procedures = map[string]procedure{
	"compact":             {"compact", sizeArgument},
	"optimize":            {"compact", sizeArgument},
	"expire_snapshots":    {"expire_snapshots", ageArgument},
	"remove_orphan_files": {"remove_orphan_files", ageArgument},
}

// ageMax is a hundred years: what is older is a slip.
const ageMax = 100 * 365 * 24 * time.Hour

// ParseExecute reads an ALTER TABLE … EXECUTE.
func ParseExecute(statement string) (Execute, error) {
	var x Execute
	in, err := NewReader(statement)
	if err != nil {
		return x, err
	}
	if !in.Take("ALTER", "TABLE") {
		return x, in.Fault("ALTER TABLE")
	}
	if x.Table, err = in.Table(); err != nil {
		return x, err
	}
	if !in.Take("EXECUTE") {
		return x, in.Fault("EXECUTE with compact, expire_snapshots or remove_orphan_files")
	}
	p, err := in.procedure()
	if err != nil {
		return x, err
	}
	x.Action = p.action
	if err := in.argument(p, &x); err != nil {
		return x, err
	}
	if in.Peek().Is("WHERE") {
		return x, in.wrong("leave it out", "WHERE cannot be used here: %s is of the whole table", p.action)
	}
	if in.Take("DRY") {
		if x.DryRun = in.Take("RUN"); !x.DryRun {
			return x, in.Fault("RUN")
		}
	}
	return x, in.Done()
}

func (r *Reader) procedure() (procedure, error) {
	t := r.Peek()
	if t.Kind != Word && t.Kind != Quoted {
		return procedure{}, r.Fault("compact, expire_snapshots or remove_orphan_files")
	}
	p, ok := procedures[strings.ToLower(t.Name())]
	if !ok {
		hint := "write compact, expire_snapshots or remove_orphan_files"
		if near := Nearest(t.Name(), slices.Sorted(maps.Keys(procedures))); near != "" {
			hint = "did you mean " + near + "?"
		}
		return p, r.wrong(hint, "%s is nothing that a table can execute", t.Text)
	}
	r.Next()
	return p, nil
}

// argument reads [([name =>] 'value')].
func (r *Reader) argument(p procedure, x *Execute) error {
	if !r.Take("(") || r.Take(")") {
		return nil
	}
	if t := r.Peek(); t.Kind == Word || t.Kind == Quoted {
		if !strings.EqualFold(t.Name(), p.argument) {
			return r.wrong("write "+p.argument+" => 'value', or no argument", "%s takes no %s", p.action, t.Text)
		}
		r.Next()
		if !r.Take("=", ">") {
			return r.Fault("=> and a value")
		}
	}
	if r.Peek().Kind != String {
		return r.Fault("a text such as " + example(p.argument))
	}
	if err := r.threshold(p.argument, x); err != nil {
		return err
	}
	if r.Peek().Is(",") {
		return r.wrong("write it alone", "%s takes no argument besides %s", p.action, p.argument)
	}
	if !r.Take(")") {
		return r.Fault(") after the value")
	}
	return nil
}

func example(argument string) string {
	if argument == sizeArgument {
		return "'128MB'"
	}
	return "'7d'"
}

// threshold reads a value with its unit. Zero is refused, for it is what is not given.
func (r *Reader) threshold(argument string, x *Execute) error {
	value := strings.TrimSpace(r.Peek().Value())
	var ok bool
	if argument == sizeArgument {
		n, err := config.ParseBytes(value)
		x.Bytes, ok = n, err == nil && n > 0
	} else {
		x.Age, ok = age(value)
	}
	if !ok {
		return r.wrong("write a number above 0 with its unit, such as "+example(argument), "%s is no %s", strconv.Quote(value), argument)
	}
	r.Next()
	return nil
}

// age reads a time as the settings have it, or days: 12h, 1h30m, 7d.
func age(value string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(value, "d"); ok {
		n, err := strconv.ParseFloat(strings.TrimSpace(days), 64)
		if err != nil || !(n > 0) || n > ageMax.Hours()/24 {
			return 0, false
		}
		return time.Duration(n * float64(24*time.Hour)), true
	}
	d, err := time.ParseDuration(value)
	return d, err == nil && d > 0 && d <= ageMax
}
