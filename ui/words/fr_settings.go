package words

// PartitionsDoc is what partitions are for, which are no setting of Kafka's, in the manner of those that are.
const PartitionsDoc = "How many logs the topic has side by side. They grow in number alone, and then keys move to others."

// frenchSettings is what the settings of topics are for.
var frenchSettings = map[string]string{
	PartitionsDoc: "Combien de journaux le topic a côte à côte. Leur nombre ne fait que croître, et des clés changent alors de journal.",
	"What becomes of old records: delete by age and size, compact to the newest of each key, or both. With compact each record has a key.": "Ce que deviennent les vieux enregistrements\u00a0: delete selon l’âge et la taille, compact jusqu’au dernier de chaque clé, ou les deux. Avec compact, chaque enregistrement a une clé.",
	"For how long compaction keeps the tombstones of deleted keys, and the markers of transactions, in ms.":                                "Combien de temps la compaction garde les pierres tombales des clés supprimées, et les marques de transactions, en ms.",
	"After how long a record is compacted at the latest, in ms, however little there is to gain.":                                          "Après combien de temps un enregistrement est compacté au plus tard, en ms, si peu qu’il y ait à gagner.",
	"The largest batch that a Kafka client may send, in bytes, as it is packed.":                                                           "Le plus grand lot qu’un client Kafka peut envoyer, en octets, tel qu’il est emballé.",
	"How far in the future a record's own time may lie, in ms, when a Kafka client sends it.":                                              "De combien l’heure d’un enregistrement peut être dans le futur, en ms, quand un client Kafka l’envoie.",
	"How far in the past a record's own time may lie, in ms, when a Kafka client sends it.":                                                "De combien l’heure d’un enregistrement peut être dans le passé, en ms, quand un client Kafka l’envoie.",
	"Whose time a record bears: its producer's, or the log's.":                                                                             "Quelle heure porte un enregistrement\u00a0: celle de son producteur, ou celle du journal.",
	"Which share of the log may be not yet compacted before it is.":                                                                        "Quelle part du journal peut n’être pas encore compactée avant qu’il le soit.",
	"For how long a record is not compacted, in ms.":                                                                                       "Pendant combien de temps un enregistrement n’est pas compacté, en ms.",
	"How large a partition may grow before its oldest records go; -1 for no bound. By default 1 GB a topic that lands, none else.":         "Jusqu’où une partition peut grandir avant que partent ses plus vieux enregistrements\u00a0; -1 pour aucune limite. Par défaut 1 Go pour un topic déposé, aucune sinon.",
	"How old records may grow, in ms; -1 for ever. By default 24 hours where the topic lands, 7 days else.":                                "Quel âge les enregistrements peuvent atteindre, en ms\u00a0; -1 pour toujours. Par défaut 24 heures pour un topic déposé, 7 jours sinon.",
	"Whether the topic's records land in a bronze table. Switched on, it takes them from the start of the log.":                            "Si les enregistrements du topic sont déposés dans une table bronze. Une fois mis, ils sont pris depuis le début du journal.",
	"The silver table that mirrors the topic, where it is not to have its source table's name.":                                            "La table silver qui est le miroir du topic, si elle ne doit pas avoir le nom de sa table source.",
	"The bronze table of the topic, where it is not to have the topic's name.":                                                             "La table bronze du topic, si elle ne doit pas avoir le nom du topic.",
	"Kept with the topic; the types of columns come from the records.":                                                                     "Gardé avec le topic\u00a0; les types des colonnes viennent des enregistrements.",
	"Batches stay as their producer packed them.":                                                                                          "Les lots restent tels que leur producteur les a emballés.",
	"Files go when nobody reads them.":                                                                                                     "Les fichiers partent quand personne ne les lit.",
	"The server's bus.fsync decides.":                                                                                                      "C’est bus.fsync du serveur qui décide.",
	"There is one replica.":                                                                                                                "Il y a une seule réplique.",
	"The index holds every message.":                                                                                                       "L’index tient chaque message.",
	"There is one replica, and it is in sync.":                                                                                             "Il y a une seule réplique, et elle est à jour.",
	"Files grow as they are written.":                                                                                                      "Les fichiers croissent à mesure qu’ils sont écrits.",
	"Files are cut by the log itself.":                                                                                                     "Les fichiers sont coupés par le journal lui-même.",
	"There is one replica, and it leads.":                                                                                                  "Il y a une seule réplique, et elle dirige.",
}
