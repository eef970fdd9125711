package door

// Known is a door of this version: what docs/ports.md tells of it.
type Known struct {
	Name     string // as in ports.json
	Setting  string // which holds its address
	Protocol string
	Says     string
	Paths    []Path // of a door that speaks HTTP
}

// Path is what a door answers under a pattern of http.ServeMux.
type Path struct {
	Pattern string
	Says    string
}

// Doors are all doors, in the order of the documentation. A path of /api or of a POST that is not here,
// and any that is no longer there, fails the tests of docs.
var Doors = []Known{{
	Name: "http", Setting: "http.listen", Protocol: "HTTP/1.1",
	Says: "The page, and all that programs ask.",
	Paths: []Path{
		{"POST /api/sql", "one statement, see [sql.md](sql.md)"},
		{"GET /api/sql/{id}", "the state of a statement that was sent with `Prefer: respond-async`; `wait` says how long to wait for its end"},
		{"DELETE /api/sql/{id}", "ends it, and forgets its answer"},
		{"GET /api/sql/{id}/pages/{page}", "a part of its rows"},
		{"GET /api/openapi.json", "all of that as an OpenAPI document"},
		{"POST /ingest/{topic}", "records as JSON, JSON lines or CSV, see [ingest.md](ingest.md)"},
		{"GET /ready", "200 once every part is ready, else 503"},
		{"GET /health", "always 200: each part with its state, lag, error and hint"},
		{"GET /metrics", "Prometheus' text format"},
		{"GET /{$}", "the page, Home"},
		{"GET /sources", "the page of sources; `/sources/{name}` one of them"},
		{"GET /topics", "the page of topics, with their records"},
		{"GET /pipelines", "the page of pipelines; `/pipelines/{name}` one of them"},
		{"GET /lake", "the page of tables; `/lake/{name}` one of them"},
		{"GET /row", "the page of a row: what made it"},
		{"GET /sql", "the page where SQL is written"},
		{"GET /status", "the page Health"},
		{"GET /lab", "the page Lab: the tour in nine steps"},
		{"GET /api/home", "what Home shows, as JSON"},
		{"GET /api/sources", "what the page of sources shows"},
		{"GET /api/sources/{name}", "what the page of one source shows"},
		{"GET /api/topics", "what the page of topics shows"},
		{"GET /api/topics/{topic}/records", "records: `from` (`latest`, `earliest`, an offset, a time, an answer's `newer` or `older`), `partition`, `find`, `limit`"},
		{"GET /api/pipelines", "what the page of pipelines shows"},
		{"GET /api/pipelines/{name}", "what the page of one pipeline shows"},
		{"POST /api/pipelines/statements", "a script, taken apart into its statements"},
		{"GET /api/lake", "what the page of tables shows"},
		{"GET /api/lake/{name}", "what the page of one table shows"},
		{"GET /api/row", "what the page of a row shows"},
		{"GET /api/sql", "the functions that a statement may call"},
		{"GET /api/status", "what the page Health shows"},
		{"GET /api/lab", "the tour: `topic` and `pipeline` say over what"},
		{"GET /api/lab/{step}", "a step, with what its check finds"},
		{"POST /api/lab/faults/{name}", "switches a fault of the sample: the body is `on` or `off`"},
		{"GET /api/live", "changes of all pages, as an event stream"},
		{"GET /api/", "any other path below it: 404, as JSON"},
	},
}, {
	Name: "kafka", Setting: "kafka.listen", Protocol: "Apache Kafka's",
	Says: "Producers, consumers and admin tools of Kafka, unchanged: [compat/kafka.md](compat/kafka.md) says which APIs and versions are there.",
}, {
	Name: "connect", Setting: "connect.listen", Protocol: "HTTP/1.1",
	Says: "Kafka Connect's REST API: connectors made, watched and changed by the tools that do so there; [compat/connect.md](compat/connect.md) says what is answered otherwise.",
}, {
	Name: "postgres", Setting: "postgres.listen", Protocol: "PostgreSQL's, version 3",
	Says: "Statements of PostgreSQL's clients: [compat/postgres.md](compat/postgres.md) says what they may count on.",
}, {
	Name: "trino", Setting: "trino.listen", Protocol: "HTTP/1.1",
	Says: "Statements of Trino's clients: [compat/trino.md](compat/trino.md) says what they may count on.",
	Paths: []Path{
		{"POST /v1/statement", "a statement; the answer names where its rows are"},
		{"GET /v1/statement/{state}/{id}/{slug}/{token}", "the next rows, and where those after them are"},
		{"DELETE /v1/statement/{state}/{id}/{slug}/{token}", "ends the statement"},
		{"GET /v1/info", "what clients ask of a server before anything else"},
	},
}, {
	Name: "flight", Setting: "flight.listen", Protocol: "Arrow Flight SQL, over gRPC",
	Says: "Statements of ADBC's and Flight SQL's clients, whose answers come as Arrow's batches: [compat/flight.md](compat/flight.md) says what they may count on.",
}}
