package connect

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"tarn/ingest/source"
)

// What Kafka Connect 4.1.1 and Debezium 3.5.0 tell of their keys, but for the documentation, which is that of Tarn.
var (
	//go:embed worker.tsv
	workerTable string
	//go:embed postgresql.tsv
	postgresTable string
)

// definition is what a plugin tells of a key.
type definition struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Required      bool     `json:"required"`
	Default       *string  `json:"default_value"`
	Importance    string   `json:"importance"`
	Documentation string   `json:"documentation"`
	Group         string   `json:"group"`
	Width         string   `json:"width"`
	Display       string   `json:"display_name"`
	Dependents    []string `json:"dependents"`
	Order         int      `json:"order"`

	recommended []string
	theirs      bool // Debezium's, which validates in other words than Connect
}

// ownGroup is the group of keys that Tarn has beside Debezium's.
const ownGroup = "Tarn"

// workerDefinitions are the keys that every connector has; version is the connector's.
func workerDefinitions(version string) []definition {
	defs := parse(workerTable, strings.NewReplacer("@version", version, "@worker", workerVersion))
	for i := range defs {
		def := &defs[i]
		def.Required = def.Name == keyName || def.Name == keyClass
		def.Documentation = workerDocs(def.Name)
	}
	return defs
}

// workerDocs say what Tarn does with the keys of Connect itself.
func workerDocs(key string) string {
	switch key {
	case keyName:
		return "The connector's name, of which there is one in a Tarn."
	case keyClass:
		return "The class of the connector, or its last word."
	case "transforms", "predicates":
		return "Names of what is done to each record, and when; docs/compat/connect.md says what there is."
	case "key.converter", "value.converter":
		return "JSON, with schemas where " + key + ".schemas.enable is true, which it is not by default."
	case "tasks.max":
		return "Any number: a connector of Tarn has one task, which reads as fast as several."
	}
	return "Kafka Connect's; Tarn takes the key and does not need it."
}

// kindDefinitions are the keys of a connector: as Debezium tells of them where it is Debezium's, with what Tarn says of each.
func kindDefinitions(kind source.Kind) []definition {
	var defs []definition
	if kind.Name == "postgresql" {
		defs = parse(postgresTable, strings.NewReplacer())
	}
	for i := range defs {
		def := &defs[i]
		def.theirs = true
		if at := slices.IndexFunc(kind.Others, func(o source.Other) bool { return o.Means(def.Name) }); at >= 0 {
			def.Documentation = "No effect: " + kind.Others[at].Instead + "."
		}
		if at := slices.IndexFunc(kind.Fields, func(f source.Field) bool { return source.Other{Key: f.Key}.Means(def.Name) }); at >= 0 {
			def.Documentation = kind.Fields[at].Doc
		}
		if def.Name == "schema.include.list" {
			def.Dependents = []string{"table.include.list"}
		}
	}
	for _, f := range kind.Fields {
		if slices.ContainsFunc(defs, func(d definition) bool { return d.Name == f.Key }) || strings.HasSuffix(f.Key, ".") {
			continue
		}
		def := definition{
			Name: f.Key, Type: "STRING", Required: f.Required, Importance: "MEDIUM", Documentation: f.Doc, Group: ownGroup, Width: "LONG",
			Display: f.Key, Dependents: []string{}, Order: len(defs) + 1, recommended: []string{},
		}
		if f.Required {
			def.Importance = "HIGH"
		}
		if f.Default != "" {
			def.Default = &f.Default
		}
		if strings.Contains(f.Key, "password") {
			def.Type = "PASSWORD"
		}
		defs = append(defs, def)
	}
	return defs
}

// transformDefinition is that of a key of a transform or a predicate that a configuration has.
func transformDefinition(key string) definition {
	parts := strings.SplitN(key, ".", 3)
	group := "Transforms"
	if parts[0] == "predicates" {
		group = "Predicates"
	}
	return definition{
		Name: key, Type: "STRING", Importance: "MEDIUM", Documentation: "Of " + parts[1] + ", which " + parts[0] + " names.", Group: group, Width: "LONG", Display: key,
		Dependents: []string{}, recommended: []string{},
	}
}

// parse reads a table of definitions, whose first line names its columns.
func parse(table string, replace *strings.Replacer) []definition {
	var defs []definition
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		order, _ := strconv.Atoi(f[4])
		def := definition{
			Name: f[0], Type: f[1], Importance: f[2], Group: f[3], Order: order, Width: f[5], Display: f[8],
			Dependents: []string{}, recommended: []string{},
		}
		if text := replace.Replace(f[6]); text != "-" {
			def.Default = &text
		}
		if f[7] != "" {
			def.recommended = strings.Split(replace.Replace(f[7]), ",")
		}
		defs = append(defs, def)
	}
	return defs
}
