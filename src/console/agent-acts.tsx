import * as z from 'zod/mini'
import type { AgentDetail } from '../protocol/agent-views.ts'
import { act } from './api.ts'
import { OwnHint } from './own-hint.tsx'
import { saidOfRevocation } from './revocation-answer.ts'
import { revocationAnswerShape } from './revocation-shapes.ts'
import { ActButton } from './scope.tsx'
import { useAct } from './use-act.tsx'

/** What can be done to an agent as a whole. */
export function AgentActs({ agent, reload }: { agent: AgentDetail; reload: () => void }) {
  const { begin, dialog } = useAct(reload)
  const { app_id, agent_id, agent_status, owner } = agent
  const path = `/admin/v1/agents/${app_id}/${agent_id}`

  function suspend(): void {
    begin({
      title: `Suspend ${agent_id}`,
      effect: `No version of the agent mints, and introspection calls its tokens inactive at once; an API that does not introspect takes them until they expire. So it stays until it is resumed by another owner than you and than the client's owner (${owner}).`,
      confirm: 'Suspend',
      danger: true,
      reason: true,
      run: async ({ reason }, key) => {
        await act(`${path}/suspend`, { reason }, z.unknown(), key)
        return `${agent_id} is suspended: it mints nothing, and introspection calls its tokens inactive. An API that does not introspect takes them until they expire.`
      },
    })
  }

  function resume(): void {
    begin({
      title: `Resume ${agent_id}`,
      effect:
        'The agent mints again with its active version; tokens from before the suspension that have not expired count again.',
      confirm: 'Resume',
      run: async (_fields, key) => {
        await act(`${path}/resume`, {}, z.unknown(), key)
        return `${agent_id} is active again.`
      },
    })
  }

  function revoke(): void {
    const id = `${app_id}/${agent_id}`
    begin({
      title: `Revoke ${agent_id}`,
      effect: 'All its versions and tokens die at once and for good, and its name is never given out again.',
      confirm: 'Revoke the agent',
      danger: true,
      reason: true,
      typed: agent_id,
      run: async ({ reason }, key) =>
        saidOfRevocation(await act('/admin/v1/revocations', { kind: 'agent', id, reason }, revocationAnswerShape, key)),
    })
  }

  if (agent_status === 'revoked') return null
  return (
    <div class="acts">
      {agent_status === 'suspended' ? (
        <>
          <OwnHint owners={[agent.suspended?.owner, owner]}>who neither suspended it nor owns its client</OwnHint>
          <ActButton scope="approve:agents" kind="main" onClick={resume}>
            Resume
          </ActButton>
        </>
      ) : (
        <ActButton scope="revoke" onClick={suspend}>
          Suspend
        </ActButton>
      )}
      <ActButton scope="revoke" kind="danger" onClick={revoke}>
        Revoke agent
      </ActButton>
      {dialog}
    </div>
  )
}
