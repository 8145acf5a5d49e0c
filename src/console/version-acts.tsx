import * as z from 'zod/mini'
import type { AgentDetail, VersionDetail } from '../protocol/agent-views.ts'
import { hasCounted } from '../protocol/rollback-target.ts'
import type { Act } from './act-dialog.tsx'
import { act } from './api.ts'
import { saidOfRevocation } from './revocation-answer.ts'
import { revocationAnswerShape } from './revocation-shapes.ts'
import { ActButton } from './scope.tsx'
import { registrationAnswerShape } from './shapes.ts'
import { useAct } from './use-act.tsx'

/** What can be done to one version, by its state. */
export function VersionActs({
  agent,
  version,
  reload,
}: {
  agent: AgentDetail
  version: VersionDetail
  reload: () => void
}) {
  const { begin, dialog } = useAct(reload)
  const { status } = version
  const path = `/admin/v1/agents/${agent.app_id}/${agent.agent_id}`
  const acts = { approve, reject, rollBack, retire, revoke }
  const begins = (name: keyof typeof acts) => () => begin(acts[name](path, version))
  if (agent.agent_status === 'revoked' || status === 'revoked') return null
  return (
    <div class="acts">
      {status === 'pending' && (
        <>
          <ActButton scope="approve:agents" kind="main" onClick={begins('approve')}>
            Approve
          </ActButton>
          <ActButton scope="approve:agents" onClick={begins('reject')}>
            Reject
          </ActButton>
        </>
      )}
      {hasCounted(version) && (
        <ActButton scope="approve:agents" kind="main" onClick={begins('rollBack')}>
          Roll back to this version
        </ActButton>
      )}
      {(status === 'active' || status === 'draining') && (
        <ActButton scope="approve:agents" onClick={begins('retire')}>
          Retire
        </ActButton>
      )}
      <ActButton scope="revoke" kind="danger" onClick={begins('revoke')}>
        Revoke version
      </ActButton>
      {dialog}
    </div>
  )
}

function approve(path: string, { registration_id, checksum, version, drain_seconds }: VersionDetail): Act {
  const drain = drain_seconds > 0 ? `drains for ${drain_seconds} s` : 'stops minting'
  return {
    title: `Approve version ${version}`,
    effect: `Version ${version} counts at once; the version before it ${drain}. What it proposes is granted with it.`,
    confirm: 'Approve',
    run: async (_fields, key) => {
      await act(`${path}/approve`, { registration_id, checksum }, registrationAnswerShape, key)
      return `Version ${version} is approved and counts now.`
    },
  }
}

function reject(path: string, { registration_id, checksum, version }: VersionDetail): Act {
  return {
    title: `Reject version ${version}`,
    effect: `Version ${version} never counts; what counts now stays. It remains readable as rejected.`,
    confirm: 'Reject',
    danger: true,
    reason: true,
    run: async ({ reason }, key) => {
      await act(`${path}/reject`, { registration_id, checksum, reason }, z.unknown(), key)
      return `Version ${version} is rejected.`
    },
  }
}

function rollBack(path: string, { registration_id, checksum, version }: VersionDetail): Act {
  return {
    title: `Roll back to version ${version}`,
    effect: `The content of version ${version} becomes a new version that counts at once; the one that counts now drains.`,
    confirm: 'Roll back',
    seconds: 'Seconds for which the version that counts now goes on minting',
    run: async ({ seconds }, key) => {
      const body = { registration_id, checksum, drain_seconds: seconds }
      const made = await act(`${path}/rollback`, body, registrationAnswerShape, key)
      return `The content of version ${version} counts again, as version ${made.version} (${made.status}).`
    },
  }
}

function retire(path: string, { registration_id, version }: VersionDetail): Act {
  return {
    title: `Retire version ${version}`,
    effect: `Version ${version} mints no more; its tokens live until they expire. It can be rolled back to.`,
    confirm: 'Retire',
    danger: true,
    run: async (_fields, key) => {
      await act(`${path}/retire`, { registration_id }, z.unknown(), key)
      return `Version ${version} is retired.`
    },
  }
}

function revoke(_path: string, { registration_id, version }: VersionDetail): Act {
  return {
    title: `Revoke version ${version}`,
    effect: `Version ${version} and every token it minted die at once and for good.`,
    confirm: 'Revoke the version',
    danger: true,
    reason: true,
    typed: registration_id,
    run: async ({ reason }, key) => {
      const body = { kind: 'registration', id: registration_id, reason }
      return saidOfRevocation(await act('/admin/v1/revocations', body, revocationAnswerShape, key))
    },
  }
}
