import { get, query } from './api.ts'
import { Id } from './badge.tsx'
import { listOf } from './lists.ts'
import { useLoad } from './load.tsx'
import { ownerBehind } from './owner-behind.ts'
import { useHolds } from './session.ts'
import { auditRowShape } from './shapes.ts'

type Decision = {
  readonly action: 'agent.approve' | 'agent.reject' | 'agent.rollback' | 'workflow.approve' | 'workflow.reject'
  readonly client_id: string
  readonly agent_id?: string
  /** What the details of the audit row say about what was decided. */
  readonly about: Readonly<Record<string, string | number>>
}

/** Newest decisions among which this one is looked for. */
const MOST = '200'

/** Who decided: the client's id, and for whom it acted where this session may read it in the audit trail. */
export function DecidedBy({ by, ...decision }: Decision & { by: string }) {
  return (
    <>
      by <Id id={by} />
      {useHolds('audit:read') && <ForOwner {...decision} />}
    </>
  )
}

function ForOwner({ action, client_id, agent_id, about }: Decision) {
  const asked = query({ action, client_id, agent_id, outcome: 'success', limit: MOST })
  const { data } = useLoad(asked, signal => get(`/admin/v1/audit${asked}`, listOf(auditRowShape), signal))
  const row = data?.items.find(({ details }) => Object.entries(about).every(([name, value]) => details[name] === value))
  const owner = row ? ownerBehind(row) : ''
  if (owner === '') return null
  return (
    <>
      {' '}
      for <Id id={owner} />
    </>
  )
}
