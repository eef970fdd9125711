package connect_test

import (
	dbsql "database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"tarn/ingest/connect"
	"tarn/ingest/source"
)

// database makes a SQLite database of one table.
func (h *house) database(name string, statements ...string) {
	h.t.Helper()
	db, err := dbsql.Open("sqlite", "file:"+h.path(name)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			h.t.Fatalf("%s: %v", s, err)
		}
	}
}

func (h *house) count(name, query string) (n int) {
	h.t.Helper()
	db, err := dbsql.Open("sqlite", "file:"+h.path(name)+"?_pragma=busy_timeout(10000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// want makes a call and holds its answer, as JSON, against a text that must be in it.
func (h *house) want(method, path, body string, status int, says string) {
	h.t.Helper()
	got, answer := h.call(method, path, []byte(body))
	text, _ := json.Marshal(answer)
	said := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text))
	if got != status || !strings.Contains(said, says) {
		h.t.Errorf("%s %s %.200s: %d %.600s; want %d %s", method, path, body, got, said, status, says)
	}
}

// records is how many records a topic was given.
func (h *house) records(topic string) int64 {
	t, err := h.bus.Topic(topic)
	if err != nil {
		return 0
	}
	return t.Partitions()[0].Next()
}

const sqliteConfig = `"connector.class": "SqliteConnector", "database.path": "../port.db", "topic.prefix": "p", "poll.interval.ms": 5`

// TestASQLiteConnector goes through a connector's life: made, changed, held, reset and deleted.
func TestASQLiteConnector(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.want("POST", "/connectors", `{"name": "port", "config": {`+sqliteConfig+`, "poll.interval": 1}}`, 201, `"poll.interval":"1"`)
	if log := h.log.String(); !strings.Contains(log, "unknown key poll.interval; did you mean poll.interval.ms?") {
		t.Errorf("the unknown key is not in the log: %s", log)
	}
	text, err := os.ReadFile(h.path("project/connectors/port.json"))
	if err != nil || !strings.Contains(string(text), `"connector.class": "SqliteConnector"`) {
		t.Fatalf("%s, %v", text, err)
	}
	h.until("the snapshot", func() bool { return h.records("p.main.calls") == 3 }) // with its marks
	h.want("GET", "/connectors/port/topics", "", 200, `["p.main.calls"]`)
	h.want("GET", "/connectors/port/status", "", 200, `"version":"0.1.0"`)
	h.until("streaming", func() bool { return h.runs("port") })

	h.want("PATCH", "/connectors/port/config", `{"poll.interval": null, "poll.interval.ms": "7"}`, 200, `"poll.interval.ms":"7"`)
	if text, err = os.ReadFile(h.path("project/connectors/port.json")); err != nil || strings.Contains(string(text), `"poll.interval":`) {
		t.Fatalf("%s, %v", text, err)
	}
	h.database("port.db", "INSERT INTO calls VALUES (2, 'b')")
	h.until("the change", func() bool { return h.records("p.main.calls") == 4 })

	h.want("GET", "/connectors/port/offsets", "", 200, `"partition":{"server":"p"}`)
	h.want("PATCH", "/connectors/port/offsets", `{"offsets": [{"partition": {"server": "p"}, "offset": {}}]}`, 400, "STOPPED state")
	h.want("PUT", "/connectors/port/stop", "", 204, "")
	h.want("GET", "/connectors/port/status", "", 200, `"tasks":[]`)
	h.database("port.db", "INSERT INTO calls VALUES (3, 'c')")
	h.want("PATCH", "/connectors/port/offsets", `{"offsets": [{"partition": {"server": "q"}, "offset": {}}]}`, 400, `has one partition, {\"server\": \"p\"}`)
	// Where it stood is a position that it can be put to: what came since is read once.
	_, answer := h.call("GET", "/connectors/port/offsets", nil)
	same, _ := json.Marshal(answer)
	h.want("PATCH", "/connectors/port/offsets", string(same), 200, "altered successfully")
	h.want("PUT", "/connectors/port/resume", "", 202, "")
	h.until("what came meanwhile", func() bool { return h.records("p.main.calls") == 5 })

	// Reset, it takes a new snapshot.
	h.want("PUT", "/connectors/port/stop", "", 204, "")
	h.want("DELETE", "/connectors/port/offsets", "", 200, "reset successfully")
	h.want("GET", "/connectors/port/offsets", "", 200, `{"offsets":[]}`)
	h.want("PUT", "/connectors/port/resume", "", 202, "")
	h.until("the second snapshot", func() bool { return h.records("p.main.calls") == 10 })

	h.want("DELETE", "/connectors/port", "", 204, "")
	if n := h.count("port.db", `SELECT count(*) FROM sqlite_schema WHERE name LIKE '\_tarn\_%' ESCAPE '\'`); n != 0 {
		t.Errorf("%d things of Tarn are left in the database", n)
	}
	if _, err := os.Stat(h.path("project/connectors/port.json")); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}
	h.want("PUT", "/connectors/port/config", "{"+sqliteConfig+"}", 201, `"name":"port"`) // it is new
	h.until("the third snapshot", func() bool { return h.records("p.main.calls") == 15 })
}

// TestHeldFromItsBeginning: a connector that is made held does not start before it is resumed.
func TestHeldFromItsBeginning(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls VALUES (1, 'a')")
	h.want("POST", "/connectors", `{"name": "port", "initial_state": "STOPPED", "config": {`+sqliteConfig+`}}`, 201, `"tasks":[]`)
	h.want("GET", "/connectors/port/status", "", 200, `"state":"STOPPED"`)
	h.want("PATCH", "/connectors/port/offsets", `{"offsets": [{"partition": {"server": "p"}, "offset": {"x": 1}}]}`, 404, "has never run")
	h.want("PUT", "/connectors/port/pause", "", 202, "")
	h.want("GET", "/connectors/port/status", "", 200, `"state":"PAUSED"`)
	h.want("POST", "/connectors/port/restart?includeTasks=true", "", 202, `"state":"PAUSED"`)
	if n := h.records("p.main.calls"); n != 0 {
		t.Errorf("%d records of a connector that is held", n)
	}
	h.want("PUT", "/connectors/port/resume", "", 202, "")
	h.until("the snapshot", func() bool { return h.records("p.main.calls") == 3 })
	if s := h.room.Statuses()[0]; s.State == source.Paused {
		t.Errorf("%+v", s)
	}
}

// TestWhatIsRefused says what is wrong, and makes no file.
func TestWhatIsRefused(t *testing.T) {
	h := newHouse(t)
	const class = `"connector.class": "io.tarn.sqlite.SqliteConnector"`
	post := func(body string, status int, says string) {
		t.Helper()
		h.want("POST", "/connectors", body, status, says)
	}
	post(`{`, 400, "not the JSON that Kafka Connect takes here")
	post(``, 400, "no body")
	post(`{"name": "b", "config": {`+class+`}, "more": 1}`, 400, `unknown field \"more\"`)
	post(`{"name": "b", "config": {"a": [1]}}`, 400, "the value of a is neither text nor number")
	post(`{"name": "b", "config": {`+class+`}, "initial_state": "ASLEEP"}`, 400, "use RUNNING, PAUSED or STOPPED")
	post(`{"name": "b", "config": {"a": "`+strings.Repeat("x", 1<<20)+`"}}`, 413, "more than 1048576 bytes")
	post(`{"name": "b", "config": {`+class+`}}`, 400, `contains the following 2 error(s):\nMissing required configuration \"database.path\" which has no default value.`)
	post(`{"name": "b/c", "config": {`+class+`, "database.path": "a", "topic.prefix": "p"}}`, 400, "without a slash")
	post(`{"name": "", "config": {`+class+`, "database.path": "a", "topic.prefix": "p"}}`, 400, "String may not be empty")
	post(`{"name": "b", "config": {`+class+`, "database.path": "connectors", "topic.prefix": "p"}}`, 400, "it is a folder")
	post(`{"name": "b", "config": {`+class+`, "database.path": "a", "topic.prefix": "p", "tasks.max": "x"}}`, 400, "Invalid value x for configuration tasks.max: Not a number of type INT")
	post(`{"name": "b", "config": {"connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector", "topics": "orders,more"}}`, 400,
		`write a pipeline, such as CREATE MATERIALIZED VIEW latest AS SELECT * FROM \"orders\"`)
	h.want("PUT", "/connectors", "{}", 405, "HTTP 405 Method Not Allowed")
	h.want("GET", "/connectors/", "", 200, "[]")
	h.want("GET", "/connectors/a%2Fb", "", 404, "Connector a/b not found")
	h.want("PATCH", "/connectors/nope/config", "{}", 404, "Connector nope not found")
	h.want("PUT", "/connectors/nope/stop", "", 404, "Unknown connector nope")
	h.want("POST", "/connectors/nope/tasks/0/restart", "", 404, "Task nope-0 not found")
	h.want("GET", "/connectors/nope/tasks/x/status", "", 404, "HTTP 404 Not Found")
	h.want("PUT", "/connector-plugins/FilesConnector/config/validate", "{"+class+"}", 400, "does not match request type FilesConnector")
	h.want("GET", "/connector-plugins/NoSuch/config", "", 404, "Unknown plugin NoSuch.")
	h.want("PUT", "/admin/loggers/root", `{"level": "DEBUG"}`, 400, "log.level")
	if list, err := os.ReadDir(h.path("project/connectors")); err != nil || len(list) != 0 {
		t.Fatalf("files %v, %v", list, err)
	}
	if r := h.from("http://evil.example", "127.0.0.1"); r != http.StatusForbidden {
		t.Errorf("a page of another site: %d", r)
	}
	if r := h.from("", "evil.example"); r != http.StatusMisdirectedRequest {
		t.Errorf("a name of another site: %d", r)
	}
}

// from makes a call that would make a connector, from an origin, by a name.
func (h *house) from(origin, host string) int {
	h.t.Helper()
	r, err := http.NewRequest("POST", "http://"+h.address+"/connectors", strings.NewReader("{}"))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Host = host
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestSecrets are told to those who ask for a connector's keys, as by Connect, and nowhere else.
func TestSecrets(t *testing.T) {
	h := newHouse(t)
	const secret = "s3cr3t-of-the-port"
	body := func(more string) string {
		return fmt.Sprintf(`{"name": "pg", "config": {"connector.class": "PostgresConnector", "database.hostname": "127.0.0.1", "database.user": "u", "database.dbname": "d",
			"topic.prefix": "cx", "database.password": %q %s}}`, secret, more)
	}
	h.want("POST", "/connectors", body(`, "nonsense": "x"`), 201, secret)
	h.until("running", func() bool { return h.runs("pg") })
	info, err := os.Stat(h.path("project/connectors/pg.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the password: %v, %v", info.Mode(), err)
	}
	h.want("POST", "/connectors", strings.Replace(body(`, "snapshot.mode": "bogus"`), `"pg"`, `"pg2"`, 1), 400, "Value must be one of always")
	var config struct {
		Config json.RawMessage `json:"config"`
	}
	_ = json.Unmarshal([]byte(body("")), &config)
	_, answer := h.call("PUT", "/connector-plugins/Postgres/config/validate", config.Config)
	text, _ := json.Marshal(answer)
	kept, err := os.ReadFile(h.path("meta.db"))
	wal, _ := os.ReadFile(h.path("meta.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"the validation": string(text), "the log": h.log.String(), "meta.db": string(kept), "meta.db-wal": string(wal)} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has the password", where)
		}
	}
}

// TestUnknownKeys are told by a validation, with the nearest that there is.
func TestUnknownKeys(t *testing.T) {
	h := newHouse(t)
	h.want("PUT", "/connector-plugins/io.tarn.files.FilesConnector/config/validate", `{"connector.class": "io.tarn.files.FilesConnector", "name": "f", "topik": "x"}`, 200,
		`"warnings":["unknown key topik; did you mean topic?"]`)
	h.want("PUT", "/connector-plugins/io.tarn.files.FilesConnector/config/validate", `{"connector.class": "io.tarn.files.FilesConnector", "name": "f", "producer.override.acks": "1"}`, 200,
		`"warnings":["key producer.override.acks has no effect: Tarn's log is in the same process; there is no producer"]`)
}

// TestTransforms are judged with the connector.
func TestTransforms(t *testing.T) {
	h := newHouse(t)
	body := func(more string) string {
		return `{"connector.class": "SqliteConnector", "name": "s", "database.path": "../port.db", "topic.prefix": "p", "transforms": "u", ` + more + `}`
	}
	h.database("port.db", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v)")
	const path = "/connector-plugins/SqliteConnector/config/validate"
	h.want("PUT", path, body(`"transforms.u.type": "no.Such"`), 200, `"name":"transforms.u.type","recommended_values":[],"value":"no.Such"`)
	h.want("PUT", path, body(`"transforms.u.type": "no.Such"`), 200, `"error_count":1`)
	h.want("PUT", path, body(`"transforms.u.type": "io.debezium.transforms.ExtractNewRecordState", "transforms.u.add.field": "op"`), 200, `"warnings":["unknown key transforms.u.add.field`)
	h.want("POST", "/connectors", `{"name": "s", "config": `+body(`"transforms.u.type": "no.Such"`)+`}`, 400, `transforms.u.type is \"no.Such\"; Tarn has io.debezium.transforms.ByLogicalTableRouter`)
	h.want("GET", "/connector-plugins?connectorsOnly=false", "", 200, `"type":"transformation"`)
}

// TestEveryCallIsTold holds docs/compat/connect.md against the door.
func TestEveryCallIsTold(t *testing.T) {
	text, err := os.ReadFile("../../docs/compat/connect.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range connect.Patterns() {
		if !strings.Contains(string(text), "`"+pattern+"`") {
			t.Errorf("docs/compat/connect.md does not tell of %s", pattern)
		}
	}
}
