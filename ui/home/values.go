package home

import (
	"encoding/json"
	"hash/fnv"
	"strconv"

	"tarn/ui/words"
)

// Values are the texts that move, in a language, by the names that the page gives them (data-v). A name
// that ends in @class or @d sets that attribute; there are no others.
func (s State) Values(l words.Language) map[string]string {
	v := map[string]string{"at": s.AtText(), "spark@d": s.Spark}
	set := func(name string, t words.Text) { v[name] = t.In(l) }
	for _, f := range s.Figures {
		set("f."+f.Key, f.Value)
		set("f."+f.Key+".note", f.Note)
	}
	for _, n := range s.Nodes {
		for name, t := range map[string]words.Text{
			".l": n.Left(), ".r": n.Right(), ".rate": n.RateText(), ".rows": n.RowsText(), ".lag": n.LagText(),
			".behind": n.BehindText(), ".bytes": n.BytesText(), ".files": n.FilesText(),
		} {
			set(n.Key+name, t)
		}
	}
	for _, e := range s.Edges {
		v[e.Key()+"@class"] = e.Class()
	}
	for _, p := range s.Pipelines {
		for name, t := range map[string]words.Text{
			".rate": p.RateText(), ".mark": p.WatermarkText(), ".behind": p.BehindText(), ".lag": p.LagText(),
			".late": p.LateText(), ".dead": p.DeadText(), ".commit": p.CommitText(),
		} {
			set(p.Key+name, t)
		}
	}
	for _, p := range s.Parts {
		set(p.Key+".lag", p.Lag)
	}
	return v
}

// AtText is the moment of the state.
func (s State) AtText() string {
	if !s.Ready {
		return Unknown
	}
	return words.Clock(s.At).String()
}

// Key names an edge on the page.
func (e Edge) Key() string { return e.From + "-" + e.To }

// Class is the edge's look: how fast data moves along it.
func (e Edge) Class() string { return "flow flow-" + strconv.Itoa(e.Speed) }

// Shape is a short hash of all that Values does not carry: when it changes, the page asks
// for its parts anew.
func (s State) Shape() string {
	type node struct {
		Key, Name, Word, Query string
		Level                  Level
	}
	type line struct {
		Key, Name, Node, Word, Error, Hint string
		Level                              Level
		Late, Dead                         bool
	}
	shape := struct {
		Ready, Sample   bool
		Health, Version string
		Nodes           []node
		Edges           []string
		Pipelines       []line
		FirstPipeline   string
		Levels          []Level
		Problems        []Problem
		Parts           []Part
		Doors           []Door
		Examples        []Example
	}{Ready: s.Ready, Sample: s.Sample, Health: s.Health, Version: s.Version, Problems: s.Problems, Doors: s.Doors, Examples: s.Examples, FirstPipeline: s.FirstPipeline}
	for _, n := range s.Nodes {
		shape.Nodes = append(shape.Nodes, node{n.Key, n.Name, n.Word, n.Query, n.Level})
	}
	for _, p := range s.Pipelines {
		shape.Pipelines = append(shape.Pipelines, line{p.Key, p.Name, p.Node, p.Word, p.Error, p.Hint, p.Level, p.Late > 0, p.Dead > 0})
	}
	for _, e := range s.Edges {
		shape.Edges = append(shape.Edges, e.Key())
	}
	for _, f := range s.Figures {
		shape.Levels = append(shape.Levels, f.Level)
	}
	for _, p := range s.Parts {
		p.Lag = words.Text{}
		shape.Parts = append(shape.Parts, p)
	}
	return Hash(shape)
}

// Hash is a short text that differs where plain values do.
func Hash(shape any) string {
	text, _ := json.Marshal(shape) // plain strings and numbers: it cannot fail
	h := fnv.New64a()
	_, _ = h.Write(text)
	return strconv.FormatUint(h.Sum64(), 36)
}
