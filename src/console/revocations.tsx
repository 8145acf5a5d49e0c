import { useState } from 'preact/hooks'
import type { RevocableKind, RevocationView } from '../protocol/revocation.ts'
import { act } from './api.ts'
import { Badge, Id } from './badge.tsx'
import { getAll } from './lists.ts'
import { Empty, Loaded, useLoad } from './load.tsx'
import { ForeignText } from './marked-text.tsx'
import { saidOfRevocation } from './revocation-answer.ts'
import { revocable, revocationAnswerShape, revocationShape } from './revocation-shapes.ts'
import { ActButton, ForScope } from './scope.tsx'
import { Moment, useNow } from './time.tsx'
import { useAct } from './use-act.tsx'

/** What each kind is named by. */
const NAMED_BY: Readonly<Record<RevocableKind, string>> = {
  token: 'its jti',
  registration: 'the registration_id of a version',
  agent: 'client_id/agent_id',
  client: 'its client_id',
  execution: 'its execution_id',
  workflow: 'client_id/workflow_id',
  initiator: 'a subject name, like user:corp:42',
  key: 'its thumbprint (jkt), or the kid of a key of this server',
}

/** What was revoked, and the form that revokes. */
export function RevocationsPage() {
  return (
    <>
      <h1>Revocations</h1>
      <ForScope scope="revoke">
        <Revocations />
      </ForScope>
    </>
  )
}

function Revocations() {
  const load = useLoad('revocations', signal => getAll('/admin/v1/revocations', revocationShape, signal))
  return (
    <>
      <RevocationForm reload={load.reload} />
      <Loaded load={load} what="revocations">
        {({ items, more }) => (
          <>
            <p class="quiet">
              {items.length}
              {more && ' newest'} entries. An entry ends when no token that it matches can live any more; what is final
              stays revoked after it.
            </p>
            {items.length === 0 ? <Empty>Nothing was revoked lately.</Empty> : <RevocationTable entries={items} />}
          </>
        )}
      </Loaded>
    </>
  )
}

function RevocationForm({ reload }: { reload: () => void }) {
  const [kind, setKind] = useState<RevocableKind>('token')
  const [id, setId] = useState('')
  const { begin, dialog } = useAct(reload)
  const name = id.trim()
  function revoke(): void {
    begin({
      title: `Revoke ${kind}`,
      effect: `Nothing that this ${kind} covers is minted any more, and what lives of it is dead once this is answered.`,
      confirm: 'Revoke',
      danger: true,
      reason: true,
      typed: name,
      run: async ({ reason }, key) => {
        const body = { kind, id: name, reason }
        const said = saidOfRevocation(await act('/admin/v1/revocations', body, revocationAnswerShape, key))
        setId('')
        return said
      },
    })
  }
  return (
    <form class="bar" onSubmit={event => event.preventDefault()}>
      <label class="filter">
        <span>Kind</span>
        <select value={kind} onChange={event => setKind(revocable.parse(event.currentTarget.value))}>
          {revocable.options.map(name => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label class="filter grow">
        <span>Named by {NAMED_BY[kind]}</span>
        <input
          type="text"
          class="mono"
          spellcheck={false}
          autocomplete="off"
          maxLength={336}
          value={id}
          onInput={event => setId(event.currentTarget.value)}
        />
      </label>
      <ActButton scope="revoke" kind="danger" off={name === ''} onClick={revoke}>
        Revoke…
      </ActButton>
      {dialog}
    </form>
  )
}

function RevocationTable({ entries }: { entries: readonly RevocationView[] }) {
  const now = useNow(10)
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">At</th>
          <th scope="col">What</th>
          <th scope="col">Reason</th>
          <th scope="col" class="wide">
            By
          </th>
          <th scope="col">Entry</th>
        </tr>
      </thead>
      <tbody>
        {entries.map(({ kind, id, reason, revoked_by, at, ends_at, lifted_at }) => (
          <tr key={`${kind} ${id} ${at}`}>
            <td>
              <Moment at={at} />
            </td>
            <td>
              <span class="quiet">{kind}</span> <Id id={id} />
            </td>
            <td>
              <ForeignText text={reason} />
            </td>
            <td class="wide">
              <Id id={revoked_by} />
            </td>
            <td>
              <Badge state={lifted_at !== null ? 'lifted' : Date.parse(ends_at) > now ? 'standing' : 'ended'} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
