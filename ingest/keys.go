package ingest

import "tarn/ingest/source"

// connectOthers are the keys of Kafka Connect's own, which any connector may carry, that have no effect.
var connectOthers = []source.Other{
	{Key: "connector.plugin.version", Instead: "Tarn has one version of each connector"},
	{Key: "tasks.max.enforce", Instead: "a connector has one task, which reads as fast as several"},
	{Key: "header.converter", Instead: "headers are texts and JSON"},
	{Key: "header.converter.", Instead: "headers are texts and JSON"},
	{Key: "config.action.reload", Instead: "a connector starts anew when its file changes"},
	{Key: "errors.retry.timeout", Instead: "what fails is tried again until it succeeds, with waits of up to 5 s"},
	{Key: "errors.retry.delay.max.ms", Instead: "tries are 5 s apart at most"},
	{Key: source.ToleranceKey, Instead: "a value that its column cannot hold is kept beside the row in _extra, and a table that cannot go on is quarantined alone, with an error that tells why"},
	{Key: "errors.log.enable", Instead: "errors are in the log, in system.sources and on the page"},
	{Key: "errors.log.include.messages", Instead: "errors are in the log without the rows they are about, which may be secret"},
	{Key: "errors.deadletterqueue.", Instead: "dead letters are in the topic tarn.dead_letter, with Connect's headers, and in system.dead_letter"},
	{Key: "topic.creation.", Instead: "topics have one partition and are kept until they are deleted; ALTER TOPIC changes that"},
	{Key: "exactly.once.support", Instead: "each change is in its topic exactly once"},
	{Key: "transaction.boundary", Instead: "each change is in its topic exactly once, without transactions of Kafka"},
	{Key: "transaction.boundary.interval.ms", Instead: "each change is in its topic exactly once, without transactions of Kafka"},
	{Key: "offsets.storage.topic", Instead: "positions are in Tarn's meta.db, and GET /connectors/{connector}/offsets tells them"},
	{Key: "offset.storage", Instead: "positions are in Tarn's meta.db"},
	{Key: "offset.storage.", Instead: "positions are in Tarn's meta.db"},
	{Key: "offset.flush.", Instead: "the position is saved with each batch"},
	{Key: "producer.", Instead: "Tarn's log is in the same process; there is no producer"},
	{Key: "consumer.", Instead: "Tarn's log is in the same process; there is no consumer"},
	{Key: "admin.", Instead: "Tarn's log is in the same process; there is no client of its own"},
}
