package kafka

import (
	"context"
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handler answers one request. It may wait, as long as it ends with ctx. No answer and no error is for requests
// that want none; an error closes the connection, and is for requests that no answer fits.
type handler func(ctx context.Context, c *conn, req kmsg.Request) (kmsg.Response, error)

// api is what the door does of one API of Kafka's.
type api struct {
	key      kmsg.Key
	min, max int16 // versions
	handle   handler
	promise  func(ctx context.Context, c *conn, req kmsg.Request) (promise, error) // in the place of handle: of an answer that the next request does not wait for
}

// table is all that the door answers. docs/compat/kafka.md tells of the same.
func table() map[int16]api {
	apis := map[int16]api{}
	for _, a := range []api{
		{key: kmsg.Produce, min: 3, max: 13, promise: produce},
		{key: kmsg.Fetch, min: 4, max: 18, handle: on(fetch)},
		{key: kmsg.ListOffsets, min: 1, max: 11, handle: on(listOffsets)},
		{key: kmsg.Metadata, min: 0, max: 13, handle: on(metadata)},
		{key: kmsg.OffsetForLeaderEpoch, min: 2, max: 4, handle: on(offsetForLeaderEpoch)},
		{key: kmsg.CreateTopics, min: 2, max: 7, handle: on(createTopics)},
		{key: kmsg.DeleteTopics, min: 1, max: 6, handle: on(deleteTopics)},
		{key: kmsg.DescribeCluster, min: 0, max: 2, handle: on(describeCluster)},
		{key: kmsg.DescribeTopicPartitions, min: 0, max: 0, handle: on(describeTopicPartitions)},
		{key: kmsg.ApiVersions, min: 0, max: 4, handle: on(apiVersions)},
		{key: kmsg.FindCoordinator, min: 0, max: 6, handle: on(findCoordinator)},
		{key: kmsg.JoinGroup, min: 0, max: 9, handle: on(joinGroup)},
		{key: kmsg.SyncGroup, min: 0, max: 5, handle: on(syncGroup)},
		{key: kmsg.Heartbeat, min: 0, max: 4, handle: on(heartbeat)},
		{key: kmsg.LeaveGroup, min: 0, max: 5, handle: on(leaveGroup)},
		{key: kmsg.OffsetCommit, min: 2, max: 10, handle: on(offsetCommit)},
		{key: kmsg.OffsetFetch, min: 1, max: 10, handle: on(offsetFetch)},
		{key: kmsg.OffsetDelete, min: 0, max: 0, handle: on(offsetDelete)},
		{key: kmsg.DescribeGroups, min: 0, max: 6, handle: on(describeGroups)},
		{key: kmsg.ListGroups, min: 0, max: 5, handle: on(listGroups)},
		{key: kmsg.DeleteGroups, min: 0, max: 2, handle: on(deleteGroups)},
		{key: kmsg.InitProducerID, min: 0, max: 5, handle: on(initProducerID)},
		{key: kmsg.AddPartitionsToTxn, min: 0, max: 5, handle: on(addPartitions)},
		{key: kmsg.AddOffsetsToTxn, min: 0, max: 4, handle: on(addOffsets)},
		{key: kmsg.EndTxn, min: 0, max: 5, handle: on(endTxn)},
		{key: kmsg.WriteTxnMarkers, min: 1, max: 1, handle: on(writeMarkers)},
		{key: kmsg.TxnOffsetCommit, min: 0, max: 5, handle: on(txnOffsetCommit)},
		{key: kmsg.DescribeProducers, min: 0, max: 0, handle: on(describeProducers)},
		{key: kmsg.DescribeTransactions, min: 0, max: 0, handle: on(describeTransactions)},
		{key: kmsg.ListTransactions, min: 0, max: 1, handle: on(listTransactions)},
		{key: kmsg.SASLHandshake, min: 0, max: 1, handle: on(saslHandshake)},
		{key: kmsg.SASLAuthenticate, min: 0, max: 2, handle: on(saslAuthenticate)},
	} {
		apis[a.key.Int16()] = a
	}
	for _, a := range administration() {
		apis[a.key.Int16()] = a
	}
	return apis
}

// on makes a handler of a function that takes requests of one type.
func on[R kmsg.Request](f func(ctx context.Context, c *conn, req R) (kmsg.Response, error)) handler {
	return func(ctx context.Context, c *conn, req kmsg.Request) (kmsg.Response, error) {
		return f(ctx, c, req.(R)) //nolint:forcetypeassert // the table's key says which it is
	}
}

// once takes out of a list what has come before: who names something twice is answered once, so that a small request
// has no answer that is larger than what there is.
func once[T any, K comparable](list []T, key func(*T) K) []T {
	seen := make(map[K]bool, len(list))
	return slices.DeleteFunc(list, func(one T) bool {
		k := key(&one)
		again := seen[k]
		seen[k] = true
		return again
	})
}

// itself is the key of what is its own.
func itself[K comparable](k *K) K { return *k }

// transactionVersion is the feature by which clients learn of the second protocol of transactions (KIP-890).
const (
	transactionVersion    = "transaction.version"
	transactionVersionMax = 2
)

// software is what a client may call itself (KIP-511).
var software = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func apiVersions(_ context.Context, c *conn, req *kmsg.ApiVersionsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.Version = req.Version
	if req.Version >= 3 && (!software.MatchString(req.ClientSoftwareName) || !software.MatchString(req.ClientSoftwareVersion)) {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return resp, nil
	}
	if req.Version >= 3 {
		supported := kmsg.NewApiVersionsResponseSupportedFeature()
		supported.Name, supported.MaxVersion = transactionVersion, transactionVersionMax
		finalized := kmsg.NewApiVersionsResponseFinalizedFeature()
		finalized.Name, finalized.MinVersionLevel, finalized.MaxVersionLevel = transactionVersion, transactionVersionMax, transactionVersionMax
		resp.SupportedFeatures = append(resp.SupportedFeatures, supported)
		resp.FinalizedFeatures, resp.FinalizedFeaturesEpoch = append(resp.FinalizedFeatures, finalized), 0
	}
	for key := range int16(kmsg.MaxKey + 1) {
		if a, ok := c.door.apis[key]; ok {
			resp.ApiKeys = append(resp.ApiKeys, a.versions())
		}
	}
	return resp, nil
}

// versions is what ApiVersions tells of an API.
func (a api) versions() kmsg.ApiVersionsResponseApiKey {
	v := kmsg.NewApiVersionsResponseApiKey()
	v.ApiKey, v.MinVersion, v.MaxVersion = a.key.Int16(), a.min, a.max
	if a.key == kmsg.Produce {
		v.MinVersion = 0 // librdkafka looks for versions that Kafka itself no longer takes, and uses others (KAFKA-18659)
	}
	return v
}

// downgrade answers an ApiVersions of a version that is not there: in version 0, so that every client can read it (KIP-511).
func (c *conn) downgrade() kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	resp.ApiKeys = append(resp.ApiKeys, c.door.apis[kmsg.ApiVersions.Int16()].versions())
	return resp
}

// saslHandshake refuses: as a Kafka without SASL does, whose clients then say that it is not on.
func saslHandshake(_ context.Context, _ *conn, req *kmsg.SASLHandshakeRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrSASLHandshakeResponse()
	resp.Version, resp.ErrorCode = req.Version, kerr.IllegalSaslState.Code
	return resp, nil
}

func saslAuthenticate(_ context.Context, _ *conn, req *kmsg.SASLAuthenticateRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrSASLAuthenticateResponse()
	resp.Version, resp.ErrorCode = req.Version, kerr.IllegalSaslState.Code
	resp.ErrorMessage = new("this Tarn has no login: connect without SASL")
	return resp, nil
}
