package view

import "strings"

// pipelineColumns are those of the list of pipelines.
const pipelineColumns = 10

const (
	pipelinesQuery = "SELECT * FROM system.pipelines"
	ticksQuery     = "SELECT *\nFROM system.ticks\nORDER BY \"at\" DESC\nLIMIT 20"
)

// layerOf is the layer of a table's name.
func layerOf(name string) string {
	layer, _, _ := strings.Cut(name, ".")
	return layer
}
