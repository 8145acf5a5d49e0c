import * as z from 'zod/mini'
import type { AgentDetail, VersionDetail } from '../protocol/agent-views.ts'
import { hasCounted } from '../protocol/rollback-target.ts'
import type { Act } from './act-dialog.tsx'
import { act } from './api.ts'
import { Id } from './badge.tsx'
import { OwnHint } from './own-hint.tsx'
import { saidOfRevocation } from './revocation-answer.ts'
import { revocationAnswerShape } from './revocation-shapes.ts'
import { href } from './route.ts'
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
  const begins = (name: keyof typeof acts) => () => begin(acts[name](path, version, agent))
  const countsNow = agent.registrations.some(one => one.status === 'active' && one.checksum === version.checksum)
  if (agent.agent_status === 'revoked' || status === 'revoked') return null
  return (
    <div class="acts">
      {status === 'pending' && (
        <>
          <OwnHint owners={[version.registered_owner, agent.owner]}>
            who neither registered it nor owns the client
          </OwnHint>
          <ActButton scope="approve:agents" kind="main" onClick={begins('approve')}>
            Approve
          </ActButton>
          <ActButton scope="approve:agents" onClick={begins('reject')}>
            Reject
          </ActButton>
        </>
      )}
      {hasCounted(version) && !countsNow && (
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

function approve(path: string, detail: VersionDetail, agent: AgentDetail): Act {
  const { registration_id, checksum, version, proposed_grant, proposed_jkts } = detail
  const proposes = [
    ...(proposed_grant === null ? [] : ['the grant']),
    ...(proposed_jkts.length === 0 ? [] : [proposed_jkts.length === 1 ? 'the key' : 'the keys']),
  ].join(' and ')
  return {
    title: `Approve version ${version} of ${agent.agent_id}`,
    effect: (
      <>
        Version {version} of <Id id={`${agent.app_id}/${agent.agent_id}`} /> counts at once. Its checksum is{' '}
        <Id id={checksum} />.{leftBehind(detail, agent)}
        {proposes !== '' && ` The agent is given ${proposes} that version ${version} proposes.`}
      </>
    ),
    confirm: 'Approve',
    run: async (_fields, key) => {
      await act(`${path}/approve`, { registration_id, checksum }, registrationAnswerShape, key)
      return `Version ${version} is approved and counts now.`
    },
  }
}

/** What becomes of the version that counts now. */
function leftBehind({ drain_seconds }: VersionDetail, { registrations, max_drain_seconds }: AgentDetail): string {
  const active = registrations.find(({ status }) => status === 'active')
  if (!active) return ''
  const drain = Math.min(drain_seconds, max_drain_seconds)
  return ` Version ${active.version} ${drain > 0 ? `goes on minting for ${drain} s` : 'stops minting'}.`
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

function rollBack(path: string, { registration_id, checksum, version }: VersionDetail, agent: AgentDetail): Act {
  const { app_id, agent_id, registrations, max_drain_seconds } = agent
  const waiting = registrations.filter(({ status }) => status === 'pending').map(one => one.version)
  const replaced =
    waiting.length === 1
      ? `Version ${waiting[0]}, which waits for approval, is replaced and never counts.`
      : `Versions ${waiting.join(', ')}, which wait for approval, are replaced and never count.`
  return {
    title: `Roll back to version ${version}`,
    effect: `The content of version ${version} becomes a new version that counts at once.${waiting.length > 0 ? ` ${replaced}` : ''}`,
    confirm: 'Roll back',
    seconds: {
      label: `Seconds for which the version that counts now goes on minting, ${max_drain_seconds} at most`,
      zero: 'With 0 it ends at once: processes that still run its prompt are refused.',
    },
    run: async ({ seconds }, key) => {
      const body = { registration_id, checksum, drain_seconds: seconds }
      const made = await act(`${path}/rollback`, body, registrationAnswerShape, key)
      location.hash = href(['agents', app_id, agent_id, made.registration_id])
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
