package sqltext

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/fault"
)

// Typed is a call that means one thing or another by the types of its arguments, which a template finds in Argument.Type.
type Typed struct {
	// Probe stands for the call where types are asked for: its own type is what the call's will be, as far as others around it go by that.
	Probe Template
	Says  Template
	// When tells which calls go by types; nil for all. Others stay as they are.
	When func(args []Argument) bool
	// Rough says that Probe may have another type than what Says makes, so that types are asked for once more around that.
	Rough bool
}

// Types answers what types the parameters $1, $2 … of a query have, in DuckDB's words without width and scale: "" for one that cannot be told.
// The query is not run.
type Types func(ctx context.Context, query string) ([]string, error)

// probe is what a walk notes of the arguments whose types are asked for: their numbers, from 0, by the call and the place.
type probe struct {
	numbers map[string]int
	types   []string // of them; nil while they are asked for first
	asking  bool     // types are asked for again, with what the rough calls are by these
	seen    *seenTypes
}

// seenTypes are what calls of Typed a statement has.
type seenTypes struct{ rough, exact bool }

// again tells whether the types that were found change others.
func (p probe) again() bool { return p.seen.rough && p.seen.exact }

// byType puts into the place of a call what it means by the types of its arguments, or what asks for these.
func (w *walker) byType(v *tree, of Typed, args []*tree, keep bool, sc *scope) error {
	if of.When != nil && !of.When(w.shown(args, nil)) {
		return nil
	}
	if types := w.told(args); types != nil {
		return w.call(v, of.Says, args, types, keep)
	}
	w.probe.seen.rough, w.probe.seen.exact = w.probe.seen.rough || of.Rough, w.probe.seen.exact || !of.Rough
	var key strings.Builder
	if sc != nil {
		key.WriteString(strconv.Itoa(sc.at))
	}
	v.identify(&key)
	says, types := of.Probe, make([]string, len(args))
	if w.probe.types != nil {
		for i := range args {
			if n, ok := w.probe.numbers[key.String()+"/"+strconv.Itoa(i)]; ok && n < len(w.probe.types) {
				types[i] = w.probe.types[n]
			}
		}
	}
	switch {
	case w.probe.types != nil && !w.probe.asking:
		return w.call(v, of.Says, args, types, keep)
	case w.probe.asking && of.Rough:
		says = func(args []Argument) (string, error) {
			if said, err := of.Says(args); said != "" || err != nil {
				return said, err
			}
			return of.Probe(args)
		}
	}
	shown, place := make([]*tree, len(args)), scalar("0")
	if at := v.get("query_location"); at != nil {
		place = at
	}
	for i, a := range args {
		if shown[i] = a; w.literal(a) != nil {
			continue // it takes its type from what is around it
		}
		key := key.String() + "/" + strconv.Itoa(i)
		n, known := w.probe.numbers[key]
		if !known {
			n = len(w.probe.numbers)
			w.probe.numbers[key] = n
		}
		shown[i] = object("class", text("OPERATOR"), "type", text("OPERATOR_COALESCE"), "alias", text(""), "query_location", place,
			"children", &tree{kind: '[', items: []*tree{a, varchar(w.prefix+"p"+strconv.Itoa(n+1), place)}})
	}
	said := func([]Argument) (string, error) { return says(w.shown(args, types)) } // of the arguments themselves
	return w.call(v, said, shown, types, keep)
}

// told are the types of arguments where the statement tells all of them; nil where one has to be asked for.
func (w *walker) told(args []*tree) []string {
	types, some := make([]string, len(args)), false
	for i, a := range args {
		if w.literal(a) != nil {
			continue // it takes its type from what is around it
		}
		if types[i], _, _ = strings.Cut(w.held(w.kind(a, w.sc)), "("); types[i] == "" {
			return nil
		}
		some = true
	}
	if !some {
		return nil
	}
	return types
}

// plainCalls are functions of a value that cost next to nothing, for DuckDB computes equal ones once.
var plainCalls = map[string]bool{"date_part": true, "epoch": true, "length": true, "abs": true}

// Plain tells whether the argument is a column, a constant, such a one that is cast, or a small part of one: it costs nothing where it stands more than once.
func (a Argument) Plain() bool { return a.tree.plain(true) }

func (t *tree) plain(calls bool) bool {
	for t.get("class").str() == "CAST" {
		t = t.get("child")
	}
	switch t.get("class").str() {
	case "COLUMN_REF", "CONSTANT":
		return true
	case "FUNCTION":
		return calls && plainCalls[strings.ToLower(t.get("function_name").str())] && !slices.ContainsFunc(t.get("children").list(), func(a *tree) bool { return !a.plain(false) })
	}
	return false
}

// identify writes what a call says, wherever it stands.
func (t *tree) identify(b *strings.Builder) {
	b.WriteByte(t.kind)
	b.WriteString(t.raw)
	for i, item := range t.items {
		if t.kind == '{' {
			if key := t.keys[i]; key == "query_location" || key == "alias" {
				continue
			}
			b.WriteString(t.keys[i])
		}
		item.identify(b)
	}
}

// tried is null where a template fails.
func tried(of Template) Template {
	return func(args []Argument) (string, error) {
		said, err := of(args)
		if said != "" {
			said = "TRY(" + said + ")"
		}
		return said, err
	}
}

// castItems casts the items of a list to a type with a length, as a template says of one that has DuckDB's type typ.
func (w *walker) castItems(v, item *tree, of Template, typ string) error {
	if t := v.get("cast_type"); typ == "" || t.get("id").str() != "LIST" || t.get("type_info").get("child_type") != item {
		return w.refuse(v, fault.Invalid, "leave the length out", "a list of texts has no length here")
	}
	items := func(args []Argument) (string, error) {
		said, err := of(append([]Argument{{Type: typ}}, args[1:]...))
		return "list_transform(CAST($1 AS " + typ + "[]), lambda tarn_x: " + strings.ReplaceAll(said, "$1", "tarn_x") + ")", err
	}
	return w.call(v, items, append([]*tree{v.get("child")}, typeModifiers(item)...), nil, false)
}

// typeModifiers are the numbers behind the name of a type that DuckDB's parser does not know: varchar(3).
func typeModifiers(t *tree) (out []*tree) {
	for _, m := range t.get("type_info").get("user_type_modifiers").list() {
		out = append(out, object("class", text("CONSTANT"), "type", text("VALUE_CONSTANT"), "alias", text(""), "query_location", scalar("0"), "value", m))
	}
	return out
}

// exactly puts what a dialect means by a number with an exponent in its place.
func (w *walker) exactly(v *tree) error {
	value := v.get("value")
	if w.dialect.Exact == nil || value.get("type").get("id").str() != "DOUBLE" || value.get("value") == nil {
		return nil
	}
	said := w.dialect.Exact(value.get("value").raw)
	if said == "" {
		return nil
	}
	return w.call(v, As(said), nil, nil, false)
}
