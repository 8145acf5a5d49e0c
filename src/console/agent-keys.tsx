import type { AgentDetail } from '../protocol/agent-views.ts'
import { act } from './api.ts'
import { Id } from './badge.tsx'
import { Empty } from './load.tsx'
import { saidOfRevocation } from './revocation-answer.ts'
import { revocationAnswerShape } from './revocation-shapes.ts'
import { ActButton } from './scope.tsx'
import { Moment } from './time.tsx'
import { useAct } from './use-act.tsx'

/** The keys by which an agent proves itself, each with its end. */
export function AgentKeys({ agent, reload }: { agent: AgentDetail; reload: () => void }) {
  const { begin, dialog } = useAct(reload)
  function revoke(jkt: string): void {
    begin({
      title: 'Revoke this key',
      effect:
        'Every token bound to the key dies, and it never proves anything here again; keys it endorsed go with it.',
      confirm: 'Revoke the key',
      danger: true,
      reason: true,
      typed: jkt.slice(0, 8),
      run: async ({ reason }, key) =>
        saidOfRevocation(
          await act('/admin/v1/revocations', { kind: 'key', id: jkt, reason }, revocationAnswerShape, key),
        ),
    })
  }
  const unlisted = agent.endorsed_keys - agent.keys.filter(key => key.source === 'endorsed').length
  return (
    <section class="card">
      <h2>Keys</h2>
      {agent.keys.length === 0 && (
        <Empty>
          No key is registered. An administrator of another owner than the client's adds one:{' '}
          <code>{`remit agent key add ${agent.app_id} ${agent.agent_id} --key FILE`}</code>
        </Empty>
      )}
      <ul class="keys">
        {agent.keys.map(({ jkt, source, added_at, expires_at }) => (
          <li key={jkt}>
            <Id id={jkt} />
            <ActButton scope="revoke" kind="danger" onClick={() => revoke(jkt)}>
              Revoke<span class="hear"> key {jkt}</span>
            </ActButton>
            <span class="quiet">
              {source}, {expires_at === null ? 'since ' : 'until '}
              <Moment at={expires_at ?? added_at} />
            </span>
          </li>
        ))}
      </ul>
      {unlisted > 0 && <p class="quiet">and {unlisted} more endorsed keys</p>}
      {dialog}
    </section>
  )
}
