import { useState } from 'preact/hooks'
import type { ExecutionView } from '../protocol/execution.ts'
import { Badge, Id } from './badge.tsx'
import { ColumnHeads } from './column-heads.tsx'
import { bareName } from './delegation-drawing.tsx'
import { Empty } from './load.tsx'
import { href } from './route.ts'
import { Moment } from './time.tsx'

const TOKENS = [
  ['Issued'],
  ['Token'],
  ['Agent and step'],
  ['Scope and API', 'wide'],
  ['Parent', 'wide'],
  ['Expires', 'wide'],
  ['Status'],
] as const
/** As many are shown until all are asked for. */
const FEW = 50

/** The newest tokens, each by its `jti`, and from which it descends. */
export function TokenTable({ execution: { tokens, tokens_minted } }: { execution: ExecutionView }) {
  const [all, setAll] = useState(false)
  if (tokens.length === 0) return <Empty>Nothing was minted in it yet.</Empty>
  const shown = all ? tokens : tokens.slice(0, FEW)
  return (
    <>
      <table>
        <ColumnHeads columns={TOKENS} />
        <tbody>
          {shown.map(token => (
            <tr key={token.jti}>
              <td>
                <Moment at={token.issued_at} short />
              </td>
              <td>
                <a href={href(['explain', token.jti])}>
                  <Id id={token.jti} short />
                </a>
              </td>
              <td>
                {token.agent_id !== null && <Id id={token.agent_id} />}
                {token.workflow_step !== null && (
                  <>
                    <span class="quiet"> / </span>
                    <Id id={token.workflow_step} />
                  </>
                )}
              </td>
              <td class="wide">
                <ScopeAt {...token} />
              </td>
              <td class="wide">
                {token.parent_jti === null ? <span class="quiet">–</span> : <Id id={token.parent_jti} short />}
              </td>
              <td class="wide">
                <Moment at={token.expires_at} short />
              </td>
              <td>
                <Badge state={token.status} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length < tokens.length && (
        <p>
          <button type="button" onClick={() => setAll(true)}>
            Show all {tokens.length}
          </button>
        </p>
      )}
      {tokens.length < tokens_minted && (
        <p class="quiet">
          {tokens.length} newest of {tokens_minted}.
        </p>
      )}
    </>
  )
}

const DELEGATIONS = [
  ['Signed'],
  ['From'],
  ['To'],
  ['For step'],
  ['Scope and API', 'wide'],
  ['Ends', 'wide'],
  ['Status'],
] as const

/** The newest delegations, each with the whole chain that it ends. */
export function DelegationTable({ delegations }: { delegations: ExecutionView['delegations'] }) {
  return (
    <table>
      <ColumnHeads columns={DELEGATIONS} />
      <tbody>
        {delegations.map(delegation => (
          <tr key={delegation.delegation_id}>
            <td>
              <Moment at={delegation.issued_at} short />
            </td>
            <td>
              <Id id={delegation.chain.slice(0, -1).map(bareName).join(' → ')} />
            </td>
            <td>
              <Id id={bareName(delegation.delegate)} />
            </td>
            <td>
              {delegation.workflow_step === null ? <span class="quiet">–</span> : <Id id={delegation.workflow_step} />}
            </td>
            <td class="wide">
              <ScopeAt {...delegation} />
            </td>
            <td class="wide">
              <Moment at={delegation.expires_at} short />
            </td>
            <td>
              <Badge state={delegation.status} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const APPROVALS = [['Opened'], ['Approval'], ['Step'], ['Decided by', 'wide'], ['Used', 'wide'], ['Status']] as const

/** Its approvals; what they are for is read on their own page, because that read is audited. */
export function ApprovalTable({ approvals }: { approvals: ExecutionView['approvals'] }) {
  if (approvals.length === 0) return <Empty>No step of it asked for an approval.</Empty>
  return (
    <table>
      <ColumnHeads columns={APPROVALS} />
      <tbody>
        {approvals.map(approval => (
          <tr key={approval.approval_id} class={approval.status === 'pending' ? 'waiting' : undefined}>
            <td>
              <Moment at={approval.opened_at} short />
            </td>
            <td>
              <a href={href(['approvals', approval.approval_id])}>
                <Id id={approval.approval_id} />
              </a>
            </td>
            <td>
              <Id id={approval.step_id} />
            </td>
            <td class="wide">
              {approval.decided_by === null ? <span class="quiet">–</span> : <Id id={approval.decided_by} />}
            </td>
            <td class="wide">
              {approval.consumed_at === null ? (
                <span class="quiet">–</span>
              ) : (
                <Moment at={approval.consumed_at} short />
              )}
            </td>
            <td>
              <Badge state={approval.status} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function ScopeAt({ scope, resource }: { scope: string; resource: string }) {
  return (
    <>
      <Id id={scope} /> <span class="quiet">at</span> <Id id={resource} />
    </>
  )
}
