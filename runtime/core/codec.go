package core

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Version is the version of the command encoding that Encode writes. Decode
// reads it and all before it. It grows when a field's meaning changes; a new
// optional field does not need it. Version 2 came with quotas, reservations and
// drains; since then a task whose acceptance is refused is TASK_DROPPED and one
// of an agent that is gone TASK_GONE_BY_OPERATOR, where both were TASK_LOST.
// Version 3 came with places, plans and rollbacks; since then a PutService while
// a change is under way is refused, and those of before are read with Over.
const Version = 3

// MaxEntry bounds one encoded command, in bytes: a registration is the largest,
// and it comes in one wire message.
const MaxEntry = cluster.MaxWireMessage + 1<<20

// envelope is a command as it lies in the log.
type envelope struct {
	Version int             `json:"v"`
	Kind    string          `json:"k"`
	At      cluster.Time    `json:"at"`
	Command json.RawMessage `json:"c"`
}

// Encode gives a command and its time the form they have in the log.
func Encode(at cluster.Time, c Command) []byte {
	body, err := json.Marshal(c)
	if err == nil {
		body, err = json.Marshal(envelope{Version: Version, Kind: c.Kind(), At: at, Command: body})
	}
	if err != nil {
		// Commands hold strings, integers, slices and maps of them: they always encode.
		panic(fmt.Sprintf("core: command %s cannot be encoded: %v", c.Kind(), err))
	}
	return body
}

// decoders has one reader per kind of command.
var decoders = map[string]func(json.RawMessage) (Command, error){
	RegisterAgent{}.Kind():       decode[RegisterAgent],
	AgentUnreachable{}.Kind():    decode[AgentUnreachable],
	AgentGone{}.Kind():           decode[AgentGone],
	PutFramework{}.Kind():        decode[PutFramework],
	DisconnectFramework{}.Kind(): decode[DisconnectFramework],
	RemoveFramework{}.Kind():     decode[RemoveFramework],
	AcceptOffers{}.Kind():        decode[AcceptOffers],
	UpdateTask{}.Kind():          decode[UpdateTask],
	KillTask{}.Kind():            decode[KillTask],
	PutService{}.Kind():          decode[PutService],
	RemoveService{}.Kind():       decode[RemoveService],
	ForgetService{}.Kind():       decode[ForgetService],
	PutRun{}.Kind():              decode[PutRun],
	CancelRun{}.Kind():           decode[CancelRun],
	ExpireFramework{}.Kind():     decode[ExpireFramework],
	DrainAgent{}.Kind():          decode[DrainAgent],
	ExpireDrain{}.Kind():         decode[ExpireDrain],
	DeactivateAgent{}.Kind():     decode[DeactivateAgent],
	ReactivateAgent{}.Kind():     decode[ReactivateAgent],
	PutMaintenance{}.Kind():      decode[PutMaintenance],
	OperateAgent{}.Kind():        decode[OperateAgent],
	PutQuota{}.Kind():            decode[PutQuota],
	PutWeights{}.Kind():          decode[PutWeights],
	ReleasePlaces{}.Kind():       decode[ReleasePlaces],
	ReleaseLeftovers{}.Kind():    decode[ReleaseLeftovers],
	RestartInstance{}.Kind():     decode[RestartInstance],
	PlanCall{}.Kind():            decode[PlanCall],
	RollbackService{}.Kind():     decode[RollbackService],
	SettleService{}.Kind():       decode[SettleService],
}

func decode[C Command](raw json.RawMessage) (Command, error) {
	var c C
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, err
	}
	return c, nil
}

// Decode reads what Encode wrote. An unknown kind or a newer version is an
// error: a log that this program does not fully understand must not be applied
// in part.
func Decode(entry []byte) (cluster.Time, Command, error) {
	if len(entry) > MaxEntry {
		return 0, nil, fmt.Errorf("log entry: %d bytes, over the limit of %d", len(entry), MaxEntry)
	}
	var e envelope
	dec := json.NewDecoder(bytes.NewReader(entry))
	if err := dec.Decode(&e); err != nil {
		return 0, nil, fmt.Errorf("log entry: %w", err)
	}
	if dec.More() {
		return 0, nil, fmt.Errorf("log entry %q: more than one value", e.Kind)
	}
	if e.Version < 1 || e.Version > Version {
		return 0, nil, fmt.Errorf("log entry %q: version %d, this program reads 1 to %d; run the version that wrote it", e.Kind, e.Version, Version)
	}
	read, ok := decoders[e.Kind]
	if !ok {
		return 0, nil, fmt.Errorf("log entry: unknown kind %q; run the version that wrote it", e.Kind)
	}
	c, err := read(e.Command)
	if err != nil {
		return 0, nil, fmt.Errorf("log entry %q: %w", e.Kind, err)
	}
	if put, ok := c.(PutService); ok && e.Version < 3 {
		put.Over = true
		c = put
	}
	return e.At, c, nil
}
