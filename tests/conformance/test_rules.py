"""Each rule of the grader: a clean trace is clean, and one change to it breaks that rule alone."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.sparkplug import metric_rules, rules, template_rules
from bridge.sparkplug.messages import Payload
from bridge.sparkplug.rules import Grader, Packet

NODE, DEVICE = "spBv1.0/Plant A/{}/gw", "spBv1.0/Plant A/{}/gw/Boiler"
T = 1_795_000_000_000
REQUIREMENTS = Path(__file__).parent / "requirements.csv"
IDS = frozenset(line.partition(",")[0] for line in REQUIREMENTS.read_text().splitlines()[1:])


class Sent:
    """A packet that can still be changed."""

    def __init__(self, topic, payload, qos=0, retain=False):
        self.topic, self.payload, self.qos, self.retain = topic, payload, qos, retain
        self.raw = None

    def metric(self, index):
        return self.payload.metrics[index]

    def packet(self):
        data = self.payload.SerializeToString() if self.raw is None else self.raw
        return Packet(self.topic, data, self.qos, self.retain, T)


def nbirth(bd_seq):
    payload = Payload(timestamp=T, seq=0)
    payload.metrics.add(name="bdSeq", timestamp=T, datatype=4, long_value=bd_seq)
    payload.metrics.add(name="Node Control/Rebirth", timestamp=T, datatype=11, boolean_value=False)
    payload.metrics.add(name="Load", alias=1, timestamp=T, datatype=10, double_value=0.5)
    kind = payload.metrics.add(name="_types_/Pump", timestamp=T, datatype=19).template_value
    kind.is_definition = True
    kind.version = "1"
    kind.metrics.add(name="Speed", timestamp=T, datatype=10, is_null=True)
    kind.metrics.add(name="Fault", timestamp=T, datatype=11, is_null=True)
    kind.parameters.add(name="max", type=10, double_value=1480)
    return Sent(NODE.format("NBIRTH"), payload)


def dbirth(seq):
    payload = Payload(timestamp=T, seq=seq)
    level = payload.metrics.add(name="Level", alias=2, timestamp=T, datatype=9, float_value=2.5)
    for key in ("Quality", "engLow"):
        level.properties.keys.append(key)
        level.properties.values.add(type=3, int_value=192)
    payload.metrics.add(name="Count", alias=3, timestamp=T, datatype=7, int_value=9)
    payload.metrics.add(name="Note", alias=4, timestamp=T, datatype=12, is_null=True)
    pump = payload.metrics.add(name="P1", alias=5, timestamp=T, datatype=19).template_value
    pump.is_definition = False
    pump.template_ref = "_types_/Pump"
    pump.metrics.add(name="Speed", timestamp=T, datatype=10, double_value=900)
    pump.metrics.add(name="Fault", timestamp=T, datatype=11, boolean_value=False)
    pump.parameters.add(name="max", type=10, double_value=2950)
    table = payload.metrics.add(name="Batch", alias=6, timestamp=T, datatype=16).dataset_value
    table.num_of_columns = 2
    table.columns.extend(["step", "name"])
    table.types.extend([3, 12])
    row = table.rows.add()
    row.elements.add(int_value=1)
    row.elements.add(string_value="fill")
    return Sent(DEVICE.format("DBIRTH"), payload)


def ddata(seq, after_ms):
    payload = Payload(timestamp=T + after_ms, seq=seq)
    level = payload.metrics.add(alias=2, timestamp=T + after_ms, float_value=2.5)
    level.properties.keys.append("Quality")
    level.properties.values.add(type=3, int_value=500)
    payload.metrics.add(alias=3, timestamp=T + after_ms, int_value=4_000_000_000)
    payload.metrics.add(alias=4, timestamp=T + after_ms, string_value="höher")
    payload.metrics.add(alias=3, timestamp=T - 60_000, is_historical=True, int_value=1)
    pump = payload.metrics.add(alias=5, timestamp=T + after_ms).template_value
    pump.is_definition = False
    pump.template_ref = "_types_/Pump"
    pump.metrics.add(name="Speed", timestamp=T, double_value=901)
    return Sent(DEVICE.format("DDATA"), payload)


def ndata(seq, after_ms):
    payload = Payload(timestamp=T + after_ms, seq=seq)
    payload.metrics.add(alias=1, timestamp=T + after_ms, double_value=0.75)
    return Sent(NODE.format("NDATA"), payload)


def ddeath(seq):
    return Sent(DEVICE.format("DDEATH"), Payload(timestamp=T, seq=seq))


def ndeath(bd_seq):
    payload = Payload()
    payload.metrics.add(name="bdSeq", datatype=4, long_value=bd_seq)
    return Sent(NODE.format("NDEATH"), payload, qos=1)


NBIRTH, DBIRTH, NDATA, DDATA, DDATA_2, DDEATH, NDEATH, NEXT, REBIRTH = 0, 1, 2, 3, 4, 5, 6, 7, 9


def trace():
    """Two sessions, the second with a rebirth."""
    return [
        nbirth(255), dbirth(1), ndata(2, 10), ddata(3, 10), ddata(4, 20), ddeath(5), ndeath(255),
        nbirth(0), dbirth(1), nbirth(0), dbirth(1), ddata(2, 30),
    ]  # fmt: skip


def graded(sent, **options):
    grader = Grader(**options)
    return [violation for one in sent for violation in grader.feed(one.packet())]


BROKEN = {}


def breaks(tck_id):
    def register(change):
        BROKEN[change.__name__] = (tck_id, change)
        return change

    return register


# --- births, deaths and their order ---------------------------------------------------------------


@breaks("tck-id-topics-nbirth-seq-num")
def nbirth_with_seq(t):
    for n in range(5):
        t[n].payload.seq += 100
    t[DDEATH].payload.seq += 100


def register_seq(name, index):
    def missing(t):
        t[index].payload.ClearField("seq")
        if index == NBIRTH:
            return
        for later in range(index + 1, NDEATH):
            t[later].payload.seq -= 1

    def jumps(t):
        for later in range(index, NDEATH):
            t[later].payload.seq += 7

    BROKEN[f"{name}_without_seq"] = ("tck-id-payloads-sequence-num-always-included", missing)
    if index != NBIRTH:
        BROKEN[f"{name}_with_another_seq"] = ("tck-id-payloads-sequence-num-incrementing", jumps)


for number, kind in enumerate(["nbirth", "dbirth", "ndata", "ddata"]):
    register_seq(kind, number)
register_seq("ddeath", DDEATH)


@breaks("tck-id-payloads-sequence-num-incrementing")
def seq_jumps(t):
    del t[NDATA]


@breaks("tck-id-payloads-sequence-num-incrementing")
def seq_repeats(t):
    t[DDEATH].payload.seq = 4


@breaks("tck-id-payloads-sequence-num-incrementing")
def seq_beyond_a_byte(t):
    t[DDEATH].payload.seq = 5 + 256


@breaks("tck-id-payloads-ndata-order")
def ndata_of_a_dead_node(t):
    t.insert(NEXT, ndata(6, 40))


@breaks("tck-id-payloads-ddata-order")
def ddata_of_a_dead_node(t):
    t.insert(NEXT, ddata(6, 40))


@breaks("tck-id-payloads-ddata-order")
def ddata_of_an_unborn_device(t):
    t[DDATA_2].topic += "2"


@breaks("tck-id-payloads-ddata-order")
def ddata_of_a_dead_device(t):
    t.insert(NDEATH, ddata(6, 40))


@breaks("tck-id-payloads-ddata-order")
def rebirth_forgets_a_device(t):
    del t[REBIRTH + 1]
    t[-1].payload.seq = 1


@breaks("tck-id-message-flow-device-birth-publish-nbirth-wait")
def dbirth_of_a_dead_node(t):
    t.insert(NEXT, dbirth(6))


@breaks("tck-id-principles-birth-certificates-order")
def ddeath_of_a_dead_node(t):
    t.insert(NEXT, ddeath(6))


@breaks("tck-id-payloads-nbirth-bdseq")
def no_bd_seq(t):
    del t[REBIRTH].payload.metrics[0]


@breaks("tck-id-message-flow-edge-node-birth-publish-nbirth-payload-bdSeq")
def bd_seq_of_another_type(t):
    t[REBIRTH].metric(0).datatype = 8


@breaks("tck-id-message-flow-edge-node-birth-publish-nbirth-payload-bdSeq")
def bd_seq_beyond_a_byte(t):
    t[REBIRTH].metric(0).long_value = 256


@breaks("tck-id-topics-nbirth-bdseq-increment")
def bd_seq_jumps(t):
    for n in (NEXT, REBIRTH):
        t[n].metric(0).long_value = 2


@breaks("tck-id-topics-nbirth-bdseq-increment")
def bd_seq_stays(t):
    for n in (NEXT, REBIRTH):
        t[n].metric(0).long_value = 255


@breaks("tck-id-operational-behavior-data-commands-rebirth-action-3")
def rebirth_with_another_bd_seq(t):
    t[REBIRTH].metric(0).long_value = 1


@breaks("tck-id-payloads-ndeath-bdseq")
def ndeath_of_the_next_session(t):
    t[NDEATH].metric(0).long_value = 0
    t.insert(NEXT, ndeath(255))


@breaks("tck-id-topics-ndeath-seq")
def ndeath_with_seq(t):
    t[NDEATH].payload.seq = 6


@breaks("tck-id-topics-ndeath-payload")
def ndeath_with_more_metrics(t):
    t[NDEATH].payload.metrics.add(name="Load", datatype=10, double_value=1)
    t.insert(NEXT, ndeath(255))


@breaks("tck-id-topics-ndeath-payload")
def ndeath_without_metrics(t):
    del t[NDEATH].payload.metrics[:]
    t.insert(NEXT, ndeath(255))


@breaks("tck-id-message-flow-edge-node-birth-publish-will-message-payload-bdSeq")
def ndeath_in_int_value(t):
    t[NDEATH].metric(0).int_value = 255
    t.insert(NEXT, ndeath(255))


@breaks("tck-id-operational-behavior-data-commands-rebirth-name")
def no_rebirth_metric(t):
    del t[NBIRTH].payload.metrics[1]


@breaks("tck-id-operational-behavior-data-commands-rebirth-name-aliases")
def rebirth_metric_with_alias(t):
    t[NBIRTH].metric(1).alias = 77


@breaks("tck-id-operational-behavior-data-commands-rebirth-datatype")
def rebirth_metric_is_no_boolean(t):
    t[NBIRTH].metric(1).datatype = 3
    t[NBIRTH].metric(1).int_value = 0


@breaks("tck-id-operational-behavior-data-commands-rebirth-value")
def rebirth_metric_is_true(t):
    t[NBIRTH].metric(1).boolean_value = True


# --- delivery -------------------------------------------------------------------------------------

PLACES = {"nbirth": NBIRTH, "dbirth": DBIRTH, "ndata": NDATA, "ddata": DDATA}


def register_delivery(name, index):
    def retained(t):
        t[index].retain = True

    def acknowledged(t):
        t[index].qos = 1

    def timeless(t):
        t[index].payload.ClearField("timestamp")

    ddeath = name == "ddeath"
    BROKEN[f"{name}_retained"] = (
        "tck-id-topics-ddeath-mqtt" if ddeath else f"tck-id-payloads-{name}-retain",
        retained,
    )
    BROKEN[f"{name}_qos_1"] = (
        "tck-id-topics-ddeath-mqtt" if ddeath else f"tck-id-payloads-{name}-qos",
        acknowledged,
    )
    BROKEN[f"{name}_timeless"] = (f"tck-id-payloads-{name}-timestamp", timeless)


for place in ({**PLACES, "ddeath": DDEATH}).items():
    register_delivery(*place)


@breaks("tck-id-payloads-ndeath-will-message-retain")
def ndeath_retained(t):
    t[NDEATH].retain = True


# --- topics and payloads --------------------------------------------------------------------------


@breaks("tck-id-topic-structure-namespace-valid-group-id")
def group_with_control_character(t):
    for one in t:
        one.topic = one.topic.replace("Plant A", "Plant\x07A")


@breaks("tck-id-topic-structure-namespace-valid-edge-node-id")
def empty_node(t):
    for one in t:
        one.topic = one.topic.replace("/gw", "/")


@breaks("tck-id-topic-structure-namespace-valid-device-id")
def empty_device(t):
    for one in t:
        one.topic = one.topic.replace("Boiler", "")


@breaks("tck-id-topic-structure-namespace-device-id-associated-message-types")
def device_verb_without_device(t):
    t.append(Sent("spBv1.0/Plant A/DDATA/gw", Payload()))


@breaks("tck-id-topic-structure-namespace-device-id-non-associated-message-types")
def node_verb_with_device(t):
    t.append(Sent("spBv1.0/Plant A/NDATA/gw/Boiler", Payload()))


@breaks("tck-id-topic-structure")
def unknown_verb(t):
    t.append(Sent("spBv1.0/Plant A/NBORN/gw", Payload()))


@breaks("tck-id-message-flow-edge-node-birth-publish-nbirth-payload")
def nbirth_is_json(t):
    t.insert(NEXT, Sent(NODE.format("NBIRTH"), None))
    t[NEXT].raw = b'{"online":true}'


@breaks("tck-id-message-flow-device-birth-publish-dbirth-payload")
def dbirth_is_cut(t):
    t.insert(DBIRTH, Sent(DEVICE.format("DBIRTH"), None))
    t[DBIRTH].raw = dbirth(1).payload.SerializeToString()[:-1]


@breaks("tck-id-message-flow-edge-node-birth-publish-will-message-payload")
def ndeath_is_text(t):
    t.insert(NDEATH, Sent(NODE.format("NDEATH"), None))
    t[NDEATH].raw = b"OFFLINE"


@breaks("own-payload-is-sparkplug")
def ddata_is_text(t):
    t.insert(NDEATH, Sent(DEVICE.format("DDATA"), None))
    t[NDEATH].raw = b"21.5"


@breaks("own-text-is-utf8")
def latin_1_in_a_value(t):
    t[DDATA].raw = t[DDATA].payload.SerializeToString().replace("ö".encode(), b"\xf6o")


@breaks("own-text-is-utf8")
def latin_1_in_a_name(t):
    t[DBIRTH].raw = t[DBIRTH].payload.SerializeToString().replace(b"Note", b"N\xf6te")


# --- metrics in births ----------------------------------------------------------------------------


@breaks("tck-id-payloads-alias-birth-requirement")
def birth_metric_by_alias_alone(t):
    t[NBIRTH].payload.metrics.add(alias=50, timestamp=T, datatype=11, boolean_value=True)


@breaks("tck-id-payloads-name-requirement")
def birth_metric_without_name(t):
    t[NBIRTH].payload.metrics.add(timestamp=T, datatype=11, boolean_value=True)


@breaks("tck-id-payloads-name-birth-data-requirement")
def birth_metric_without_time(t):
    t[DBIRTH].metric(0).ClearField("timestamp")


@breaks("tck-id-operational-behavior-data-publish-nbirth-values")
def nbirth_metric_without_value(t):
    t[NBIRTH].metric(2).ClearField("double_value")


@breaks("tck-id-operational-behavior-data-publish-dbirth-values")
def dbirth_metric_without_value(t):
    t[DBIRTH].metric(2).ClearField("is_null")


@breaks("tck-id-payloads-metric-datatype-req")
def birth_metric_without_type(t):
    t[NBIRTH].metric(2).ClearField("datatype")


@breaks("tck-id-payloads-metric-datatype-value")
def birth_metric_of_unknown_type(t):
    t[DBIRTH].payload.metrics.add(name="x", timestamp=T, datatype=35, int_value=1)


@breaks("unmarked-metric-value-oneof")
def birth_value_in_another_field(t):
    t[DBIRTH].metric(0).double_value = 2.5


@breaks("unmarked-metric-value-oneof")
def birth_value_and_null(t):
    t[DBIRTH].metric(0).is_null = True


@breaks("tck-id-payloads-alias-uniqueness")
def alias_twice_in_a_device(t):
    t[DBIRTH].payload.metrics.add(name="x", alias=2, timestamp=T, datatype=9, float_value=1)
    del t[DDATA].payload.metrics[0], t[DDATA_2].payload.metrics[0]


@breaks("tck-id-payloads-alias-uniqueness")
def alias_of_the_node_in_a_device(t):
    t[DBIRTH].payload.metrics.add(name="x", alias=1, timestamp=T, datatype=9, float_value=1)


@breaks("tck-id-case-sensitivity-metric-names")
def names_differ_by_case(t):
    t[DBIRTH].payload.metrics.add(name="LEVEL", timestamp=T, datatype=9, float_value=1)


@breaks("tck-id-case-sensitivity-metric-names")
def name_twice(t):
    t[NBIRTH].payload.metrics.add(name="Load", alias=9, timestamp=T, datatype=10, double_value=1)


@breaks("tck-id-payloads-propertyset-keys-array-size")
def property_key_without_value(t):
    t[DBIRTH].metric(0).properties.keys.append("engUnit")


@breaks("tck-id-payloads-metric-propertyvalue-type-req")
def property_without_type(t):
    t[DBIRTH].metric(0).properties.values[1].ClearField("type")


@breaks("tck-id-payloads-metric-propertyvalue-type-value")
def property_of_unknown_type(t):
    t[DBIRTH].metric(0).properties.values[1].type = 99


@breaks("unmarked-property-value-oneof")
def property_of_nothing(t):
    t[DBIRTH].metric(0).properties.values[1].ClearField("int_value")


@breaks("unmarked-property-value-oneof")
def property_of_something_and_null(t):
    t[DBIRTH].metric(0).properties.values[1].is_null = True


@breaks("tck-id-payloads-propertyset-quality-value-type")
def quality_as_int64(t):
    t[DBIRTH].metric(0).properties.values[0].type = 4


@breaks("tck-id-payloads-propertyset-quality-value-value")
def quality_of_opc_da_good_local_override(t):
    t[DDATA].metric(0).properties.values[0].int_value = 216


@breaks("tck-id-payloads-propertyset-quality-value-value")
def quality_in_long_value(t):
    t[DDATA].metric(0).properties.values[0].long_value = 192


# --- metrics in DATA ------------------------------------------------------------------------------


@breaks("tck-id-payloads-alias-data-cmd-requirement")
def name_beside_alias(t):
    t[DDATA].metric(0).name = "Level"


@breaks("tck-id-payloads-alias-data-cmd-requirement")
def name_instead_of_alias(t):
    t[DDATA].metric(0).ClearField("alias")
    t[DDATA].metric(0).name = "Level"


@breaks("tck-id-payloads-name-requirement")
def data_metric_by_neither(t):
    t[DDATA].metric(0).ClearField("alias")


@breaks("tck-id-topics-dbirth-metric-reqs")
def unknown_alias(t):
    t[DDATA].metric(0).alias = 99


@breaks("tck-id-topics-dbirth-metric-reqs")
def alias_of_another_device(t):
    t[DDATA].metric(0).alias = 1


@breaks("tck-id-topics-dbirth-metric-reqs")
def unknown_name(t):
    t[DDATA].payload.metrics.add(name="Pressure", timestamp=T + 99, float_value=1)


@breaks("tck-id-topics-nbirth-metric-reqs")
def unknown_alias_of_the_node(t):
    t[NDATA].metric(0).alias = 2


@breaks("unmarked-metric-value-oneof")
def data_without_value(t):
    t[DDATA].metric(1).ClearField("int_value")


@breaks("unmarked-metric-value-oneof")
def data_in_another_field(t):
    t[DDATA].metric(0).double_value = 2.5


@breaks("tck-id-payloads-name-birth-data-requirement")
def data_without_time(t):
    t[DDATA].metric(1).ClearField("timestamp")


@breaks("tck-id-operational-behavior-data-publish-dbirth-order")
def time_goes_back(t):
    t[DDATA_2].metric(0).timestamp = T + 9


@breaks("tck-id-operational-behavior-data-publish-dbirth-order")
def time_before_the_birth(t):
    for n in (DDATA, DDATA_2):
        t[n].metric(0).timestamp = T - 1
    t[DDATA_2].metric(0).timestamp = T


@breaks("tck-id-operational-behavior-data-publish-nbirth-order")
def time_of_the_node_goes_back(t):
    t[NDATA].metric(0).timestamp = T - 1


# --- what was born when, and whose ids ------------------------------------------------------------


@breaks("tck-id-topic-structure-namespace-unique-device-id")
def a_device_is_born_twice(t):
    t[DDATA_2] = dbirth(4)


@breaks("tck-id-payloads-dbirth-order")
def data_between_the_births_of_a_rebirth(t):
    t.insert(REBIRTH + 1, ndata(1, 25))
    for later in t[REBIRTH + 2 :]:
        later.payload.seq += 1


@breaks("tck-id-case-sensitivity-sparkplug-ids")
def a_node_that_differs_by_case(t):
    other = nbirth(0)
    other.topic = other.topic.replace("gw", "GW")
    t.append(other)


@breaks("tck-id-case-sensitivity-sparkplug-ids")
def a_device_that_differs_by_case(t):
    other = dbirth(3)
    other.topic = other.topic.replace("Boiler", "boiler")
    for metric in other.payload.metrics:
        metric.ClearField("alias")
    t.append(other)


@breaks("tck-id-topic-structure-namespace-a")
def sparkplug_a(t):
    t.append(Sent("spAv1.0/Plant A/NDATA/gw", Payload()))


@breaks("tck-id-topics-ndata-payload")
def ndata_of_nothing(t):
    del t[NDATA].payload.metrics[:]


@breaks("tck-id-topics-ddata-payload")
def ddata_of_nothing(t):
    del t[DDATA].payload.metrics[:]


def register_topics():
    for verb in ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"):
        of_device = verb[0] == "D"
        form = NODE if of_device else DEVICE
        which = "associated" if of_device else "non-associated"
        tck_id = f"tck-id-topic-structure-namespace-device-id-{which}-message-types"

        def change(t, form=form, verb=verb):
            t.append(Sent(form.format(verb), Payload(timestamp=T)))

        BROKEN[f"{verb}_with_the_topic_of_the_other_kind"] = (tck_id, change)


register_topics()


# --- times ----------------------------------------------------------------------------------------


@breaks("tck-id-payloads-timestamp-in-UTC")
def a_payload_of_the_future(t):
    t[NDATA].payload.timestamp = T + 61_000


@breaks("tck-id-payloads-timestamp-in-UTC")
def a_payload_in_seconds(t):
    t[NDATA].payload.timestamp = T // 1000


@breaks("tck-id-payloads-metric-timestamp-in-UTC")
def a_metric_of_the_future(t):
    t[DDATA_2].metric(0).timestamp = T + 3_600_000


@breaks("tck-id-payloads-metric-timestamp-in-UTC")
def a_born_metric_of_the_future(t):
    t[REBIRTH + 1].metric(TABLE).timestamp = T + 3_600_000


@breaks("tck-id-payloads-metric-timestamp-in-UTC")
def a_metric_in_seconds(t):
    t[DDATA].metric(3).timestamp = T // 1000


@breaks("tck-id-payloads-metric-datatype-not-req")
def data_with_its_type(t):
    t[DDATA].metric(0).datatype = 9


# --- DataSets and Templates -----------------------------------------------------------------------

TABLE, PUMP, KIND = 4, 3, 3


def table(t):
    return t[DBIRTH].metric(TABLE).dataset_value


def pump(t):
    return t[DBIRTH].metric(PUMP).template_value


def kind_of(t):
    return t[NBIRTH].metric(KIND).template_value


@breaks("tck-id-payloads-dataset-parameter-type-req")
def dataset_without_types(t):
    del table(t).types[:]


@breaks("tck-id-payloads-dataset-column-num-headers")
def dataset_with_a_type_less(t):
    del table(t).types[1:]


@breaks("tck-id-payloads-dataset-types-value")
def dataset_of_datasets(t):
    table(t).types[0] = 16


@breaks("own-dataset-num-of-columns")
def dataset_that_cannot_count(t):
    table(t).num_of_columns = 3


@breaks("tck-id-payloads-template-is-definition")
def template_that_does_not_say_what_it_is(t):
    pump(t).ClearField("is_definition")


@breaks("tck-id-payloads-template-definition-nbirth-only")
def definition_in_a_device(t):
    pump(t).is_definition = True
    pump(t).ClearField("template_ref")


@breaks("tck-id-payloads-template-definition-ref")
def definition_with_a_reference(t):
    other = t[NBIRTH].payload.metrics.add(name="_types_/X", timestamp=T, datatype=19)
    other.template_value.is_definition = True
    other.template_value.template_ref = "_types_/Pump"


@breaks("tck-id-payloads-template-definition-is-definition")
def definition_that_denies_it(t):
    kind_of(t).is_definition = False
    pump = t[NBIRTH].payload.metrics.add(name="P0", timestamp=T, datatype=19).template_value
    pump.CopyFrom(dbirth(1).metric(PUMP).template_value)


@breaks("tck-id-payloads-template-instance-is-definition")
def instance_that_says_it_defines(t):
    pump(t).is_definition = True


@breaks("tck-id-payloads-template-instance-ref")
def instance_of_nothing(t):
    pump(t).ClearField("template_ref")


@breaks("tck-id-payloads-template-definition-nbirth")
def instance_of_what_nobody_defined(t):
    pump(t).template_ref = "_types_/Valve"


@breaks("tck-id-payloads-template-instance-members")
def instance_with_a_member_of_its_own(t):
    pump(t).metrics.add(name="Power", timestamp=T, datatype=10, double_value=1)


@breaks("tck-id-payloads-template-instance-members-birth")
def born_instance_without_a_member(t):
    del pump(t).metrics[1]


@breaks("tck-id-payloads-template-definition-parameters")
def instance_with_a_parameter_of_its_own(t):
    pump(t).parameters.add(name="min", type=10, double_value=1)


@breaks("tck-id-payloads-template-parameter-name-required")
def parameter_without_a_name(t):
    kind_of(t).parameters.add(type=10, double_value=1)


@breaks("tck-id-payloads-template-parameter-name-type")
def parameter_with_a_latin_1_name(t):
    kind_of(t).parameters.add(name="hö", type=10, double_value=1)
    t[NBIRTH].raw = t[NBIRTH].payload.SerializeToString().replace("hö".encode(), b"h\xf6o")


@breaks("tck-id-payloads-template-parameter-type-req")
def parameter_without_a_type(t):
    kind_of(t).parameters[0].ClearField("type")


@breaks("tck-id-payloads-template-parameter-type-value")
def parameter_that_is_a_dataset(t):
    kind_of(t).parameters[0].type = 16


@breaks("tck-id-payloads-template-version")
def version_in_latin_1(t):
    kind_of(t).version = "vö"
    t[NBIRTH].raw = t[NBIRTH].payload.SerializeToString().replace("vö".encode(), b"v\xf6o")


def test_the_clean_trace_is_clean():
    assert graded(trace()) == []
    assert graded(trace(), complete=True) == []


@pytest.mark.parametrize("name", BROKEN)
def test_one_change_breaks_one_rule(name):
    tck_id, change = BROKEN[name]
    sent = trace()
    change(sent)
    found = graded(sent)
    assert {violation.tck_id for violation in found} == {tck_id}, found
    assert all(tck_id in violation.ids for violation in found)
    assert all(violation.what and violation.topic for violation in found)


def ids_in_source():
    modules = (rules, metric_rules, template_rules)
    source = "".join(Path(module.__file__).read_text() for module in modules)
    source = source.replace('f"{_TEMPLATE}', '"tck-id-payloads-template')
    found = set(re.findall(r'"((?:tck-id|unmarked|own)-[\w-]+)"', source))
    return found - {"tck-id-payloads-template"}


def test_each_rule_has_a_broken_trace():
    assert {tck_id for tck_id, _ in BROKEN.values()} == ids_in_source()


def test_each_id_is_one_of_the_standard():
    assert {i for i in ids_in_source() if not i.startswith("own-")} <= IDS


def test_other_topics_and_commands_are_not_judged():
    for topic in ("spBv1.0/STATE/scada", "factory/line", NODE.format("NCMD")):
        assert graded([Sent(topic, Payload())]) == []


@pytest.mark.parametrize("start", range(12))
def test_a_late_joiner_sees_no_violation(start):
    assert graded(trace()[start:]) == []


def test_data_before_a_birth_is_a_violation_for_who_saw_everything():
    found = graded(trace()[2:4], complete=True)
    assert [v.tck_id for v in found] == [
        "tck-id-payloads-ndata-order",
        "tck-id-payloads-ddata-order",
    ]


@pytest.mark.parametrize("missed", range(1, 12))
def test_after_a_gap_nothing_is_held_against_a_node(missed):
    grader = Grader()
    sent = trace()
    grader.feed(sent[0].packet())
    grader.gap()
    assert [v for one in sent[missed:] for v in grader.feed(one.packet())] == []


def test_an_old_will_that_comes_late_is_ignored():
    sent = trace()
    sent.insert(-1, ndeath(255))
    assert graded(sent) == []


def test_a_session_that_was_never_born_uses_up_its_number():
    sent = trace()
    sent.insert(NEXT, ndeath(0))
    for n in (NEXT + 1, REBIRTH + 1):
        sent[n].metric(0).long_value = 1
    assert graded(sent) == []


def test_both_deaths_of_an_orderly_leave():
    """tck-id-payloads-ndeath-will-message-publisher: the one published and the Will."""
    sent = trace()
    sent.insert(NEXT, ndeath(255))
    sent.insert(NEXT + 2, ndeath(255))
    assert graded(sent) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDATA", "DDEATH"]),
            st.binary(max_size=80) | st.just(trace()[1].packet().payload),
        ),
        max_size=8,
    )
)
def test_hostile_bytes_never_raise(packets):
    grader = Grader()
    for verb, payload in packets:
        topic = (NODE if verb[0] == "N" else DEVICE).format(verb)
        grader.feed(Packet(topic, payload, 0, False, T))
