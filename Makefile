# What a developer types. `make` alone lists the targets.
# Everything is built with duckdb_arrow, which switches on DuckDB's Arrow interface.

TAGS     := -tags duckdb_arrow
PACKAGES := ./... ./.ci/bench ./.ci/kafka/... ./.ci/nexmark/... ./.ci/oracle ./.ci/pipelines ./.ci/proof ./.ci/soak ./.ci/sql/...
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)

# The race detector leaves SQLite alone: it is C turned into Go, has locks of its own,
# and would take twenty times as long. Its driver is not left out: the linker would take
# generic functions of the standard library from there, blind to their locks.
RACE     := -race -gcflags=modernc.org/sqlite/lib/...=-race=false -gcflags=modernc.org/libc/...=-race=false

# These fail and kill the lake at each operation on the disk, or commit hundreds of times: under the race detector they take
# fewer steps, or none.
STEPS    := ^(TestEveryFailedOperation|TestKilledAtEveryOperation|TestKilledProcess|TestARepairCanBeStoppedAnywhere|TestTableAgainstModel|TestUpkeepByItself|TestSnapshotsAreThinnedAndMetadataStaysSmall|TestManifestsAreMerged|TestCommitsLeaveNothingBehind)$$

LINT     := go tool -modfile=.ci/lint.mod golangci-lint
TEMPL    := go tool -modfile=.ci/tools.mod templ

FUZZTIME ?= 10s
KILLS    ?= 60
CUTS     ?= 50
KILLED   ?= 10
SHRINK   ?= 3m
FILLS    ?= 3
MINUTES  ?= 60
N        ?= 2000000
SEED     ?= 42
DATA     ?= ./tarn-data
LAND     ?= 0
SF       ?= 1

.PHONY: help run build dist test test-fast lint format generate docs pictures bench bench-lake bench-stream bench-page bench-kafka bench-kafka-scale bench-cdc bench-sql nexmark fuzz oracle oracle-postgres proof kafka kafka-histories sql sqllogic soak licenses clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: ## build and run with the sample port; the page is at http://127.0.0.1:7700
	go run $(TAGS) . up --sample

# The linker finds libstdc++ as an archive alone, so that of libraries the program needs glibc and no other.
build: ## bin/tarn, stripped
	@test -f "$$($$(go env CC) -print-file-name=libstdc++.a)" || { echo "libstdc++.a is missing: apt install g++" >&2; exit 1; }
	@mkdir -p bin/static && ln -sf "$$($$(go env CC) -print-file-name=libstdc++.a)" bin/static/
	go build $(TAGS) -trimpath -ldflags '$(LDFLAGS) -buildid= -extldflags "-static-libgcc -L$(CURDIR)/bin/static"' -o bin/tarn .

dist: build ## bin/dist: a tarball with the program, its notices and docs, and its checksum
	.ci/dist $(VERSION)

test: ## every test, with the race detector; what takes fewer steps under it, once more without
	go test $(TAGS) $(RACE) -timeout 40m ./... ./.ci/pipelines
	go test $(TAGS) -timeout 40m -run '$(STEPS)' ./lake

test-fast: ## every test, without it
	go test $(TAGS) ./... ./.ci/pipelines

lint: ## vet, golangci-lint (with gofumpt) and generated code that is fresh
	go vet $(TAGS) $(PACKAGES)
	$(LINT) run --build-tags duckdb_arrow $(PACKAGES)
	.ci/fresh '*_templ.go' $(TEMPL) generate -path ui

format: ## rewrite the code as lint wants it
	$(LINT) fmt

generate: ## rewrite the generated code
	$(TEMPL) generate -path ui

docs: ## rewrite docs/commands, and the tables of docs/config.md and docs/ports.md
	go run $(TAGS) . docs docs

pictures: build ## take README's pictures anew, of the sample in a browser
	.ci/pictures docs/pictures

bench: ## measure; prints key=value
	.ci/bench/run

bench-lake: ## measure the lake under years of commits; prints key=value
	.ci/bench/run lake

bench-stream: ## measure pipelines beside Flink, over N events; prints key=value
	TARN_BENCH_EVENTS=$(N) .ci/bench/run stream

bench-page: ## measure the page in a browser: its first row of gold, weight, cost, frames; prints key=value
	.ci/bench/run page

bench-kafka: ## measure the Kafka door beside Apache Kafka; prints key=value
	.ci/bench/run kafka

bench-kafka-scale: ## measure 4,000 partitions, 1,000 idle consumers and 10,000 connections; prints key=value
	.ci/bench/run kafka-scale

bench-cdc: ## measure change data capture beside Debezium; prints key=value
	.ci/bench/run cdc

bench-sql: ## measure the SQL doors over TPC-H's tables of scale SF beside DuckDB alone; prints key=value
	TARN_BENCH_SF=$(SF) .ci/bench/run sql

nexmark: ## fill topics of DATA, where no Tarn runs, with N events of the Nexmark benchmark; prints key=value
	go run ./.ci/nexmark/write -data $(DATA) -n $(N) -seed $(SEED) -land=$(LAND)

fuzz: ## each fuzz target for FUZZTIME
	.ci/fuzz $(FUZZTIME)

oracle: SEED := 0
oracle: N := 10000
oracle: ## hold N random pipelines over random logs, killed at random, against DuckDB; PROGRESS=/a/file lets one run go on where the last ended
	go test $(TAGS),planted -count 1 -timeout 12h -v ./.ci/oracle -args -cases $(N) -seed $(SEED) -killed $(KILLED) -shrink $(SHRINK) -progress '$(PROGRESS)'

oracle-debezium: ## run Debezium 3.5 and Tarn beside each other over one PostgreSQL's log and compare their events (JDK 17, Maven; 47 MB once)
	go test $(TAGS),debezium -count 1 -timeout 30m -run TestAgainstDebezium -v ./ingest/cdc/postgres

oracle-postgres: SEED := 0
oracle-postgres: N := 500
oracle-postgres: ## hold the PostgreSQL source against a server over N random histories of rows and tables, while it is stopped, cut off and refused
	go test $(TAGS) -count 1 -timeout 12h -v -run TestHistories ./ingest/cdc/postgres -args -histories $(N) -seed $(SEED)

proof: ## kill, power-cut and fill the disk of the real program, KILLS, CUTS and FILLS times; cuts and fills need root
	go test $(TAGS) -count 1 -timeout 60m -v ./.ci/proof -args -kills $(KILLS) -cuts $(CUTS) -fills $(FILLS)

kafka: ## hold the Kafka door against clients that know nothing of Tarn, and against answers of Kafka itself
	go test $(TAGS) -count 1 -timeout 40m -v ./.ci/kafka/...

sql: ## hold the doors for statements against clients that know nothing of Tarn, and against each other
	go test $(TAGS) -count 1 -timeout 40m -v ./.ci/sql/...

sqllogic: ## hold the Gate against DuckDB by DuckDB's own sqllogictests: TESTS=/a/checkout/of/duckdb/test/sql; REPORT=/a/file tells what is refused
	go test $(TAGS) -count 1 -timeout 60m -run TestDuckDB -v ./.ci/sql/sqllogic -args -tests '$(TESTS)' -report '$(REPORT)'

kafka-histories: SEED := 0
kafka-histories: N := 50
kafka-histories: ## hold the Kafka door against a model over N random histories with kills, and against planted faults
	go test $(TAGS) -count 1 -timeout 12h -v ./.ci/kafka/histories -args -histories $(N) -seed $(SEED) -planted

soak: ## run the real program under an even load for MINUTES and tell what grows
	.ci/soak/run $(MINUTES)

licenses: ## what the binary links, with the licence texts in bin/licenses
	.ci/licenses bin/licenses

clean: ## remove what was built; never touches tarn-data
	rm -rf bin
