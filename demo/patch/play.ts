import { approvalDetailSchema } from '../../src/protocol/approval.ts'
import { type ExecutionView, executionViewSchema } from '../../src/protocol/execution.ts'
import type { Operator } from '../administration.ts'
import { make } from '../attempt.ts'
import type { Progress } from '../progress.ts'
import { callApi, expectStatus } from '../remit-client.ts'
import { afterAttempts, approvalAttempts, executionAttempts, revokedAttempt } from './attempts.ts'
import { approver, ask, delegate, type Minted, minted, type PatchScene } from './scene.ts'
import { CHANGE, FOREIGN_CLIENT } from './story.ts'

const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'

/** What the report draws: the execution as the server recorded it, twice, and the last token of the chain. */
export type PatchFindings = {
  /** While the patch waits for its approval. */
  waiting?: ExecutionView
  execution?: ExecutionView
  token?: Minted
  chain?: readonly string[]
}

/** Alice asks, the supervisor hands over to planner and tester, the planner to the patcher, Ben approves. */
export async function playPatch(
  scene: PatchScene,
  { progress, findings, anna }: { progress: Progress; findings: PatchFindings; anna: Operator },
): Promise<void> {
  progress.heading('Nothing on the caller’s word')
  const triage = await progress.step('user_starts', 'Alice starts an execution', async () => {
    const subject_token = await scene.foreign.signIn('alice', FOREIGN_CLIENT)
    const more = { subject_token, subject_token_type: ID_TOKEN }
    const result = minted(await ask(scene, 'supervisor', { step_id: 'triage', more }))
    return { detail: `token for the supervisor, sub ${result.claims.sub}`, result }
  })
  const execution_id = triage.claims.intent?.execution_id ?? ''
  const plan = await progress.step('hand_to_planner', 'The supervisor hands over to the planner', async () => {
    const assertion = await delegate(scene, triage, 'planner', { step_id: 'plan' })
    const result = minted(await ask(scene, 'planner', { step_id: 'plan', execution_id, assertion }), assertion)
    return { detail: 'signed with the supervisor’s own key; the server derives the chain', result }
  })
  await progress.step('hand_to_tester', 'And, side by side, to the tester', async () => {
    const assertion = await delegate(scene, triage, 'tester', { step_id: 'reproduce' })
    minted(await ask(scene, 'tester', { step_id: 'reproduce', execution_id, assertion }), assertion)
    return { detail: 'plan and reproduce are entered at the same time', result: undefined }
  })
  const handed = await delegate(scene, plan, 'patcher', { step_id: 'patch' })
  const patch = () => ask(scene, 'patcher', { step_id: 'patch', execution_id, arguments: CHANGE, assertion: handed })
  const approval_id = await progress.step(
    'patch_waits',
    'The planner hands over to the patcher, who must wait',
    async () => {
      const { status, body } = await patch()
      if (status !== 403 || body.ajwt_error !== 'approval_pending') throw new Error(`expected to wait, saw ${status}`)
      return { detail: `403, and it opened ${body.approval_id}`, result: String(body.approval_id) }
    },
  )
  findings.waiting = executionViewSchema.parse(await anna.read(`/executions/${execution_id}`))
  const ben = await progress.step('sign_in_ben', 'Ben signs in with two factors', async () => {
    return { detail: 'his ID token for a short admin token (RFC 8693)', result: await approver(scene, 'ben') }
  })
  const detail = approvalDetailSchema.parse(await ben.read(`/approvals/${approval_id}`))
  await attempt(progress, approvalAttempts(scene, { ben, approval_id, plan, execution_id, patch }))
  await progress.step('approve_step', 'Ben reads the exact arguments and approves', async () => {
    const { arguments_digest } = detail
    const decision = { decision: 'grant', arguments_digest, reason: 'Reviewed: one comparison, with a test.' }
    expectStatus(await ben.post(`/approvals/${approval_id}`, decision), 200)
    return { detail: detail.arguments ?? '', result: undefined }
  })
  const token = await progress.step('patch_applied', 'The patcher applies exactly that', async () => {
    const result = minted(await patch(), handed)
    const { key } = scene.agents.patcher
    const answer = await callApi('POST', `${scene.repo}/patches`, result.access_token, key, CHANGE)
    const body = expectStatus(answer, 200)
    findings.chain = Array.isArray(body.chain) ? body.chain.map(String) : []
    return { detail: 'the API walked the chain by its signatures and compared the body with the approval', result }
  })
  findings.token = token
  findings.execution = executionViewSchema.parse(await anna.read(`/executions/${execution_id}`))
  progress.heading('Refused: lies about steps, people and chains')
  await attempt(progress, executionAttempts(scene, { execution_id, handed }))
  await attempt(progress, afterAttempts(scene, { token, patch }))
  await progress.step('revoke_execution', 'Revoke the execution', async () => {
    const before = await scene.app.introspect(token.access_token)
    await anna.create('/revocations', { kind: 'execution', id: execution_id, reason: 'The demo shows a cascade.' })
    const after = await scene.app.introspect(token.access_token)
    if (before.active !== true || after.active !== false)
      throw new Error('The token was not active before, or is after.')
    return { detail: 'its tokens turn inactive, its delegations end', result: undefined }
  })
  await attempt(progress, [revokedAttempt(scene, { execution_id, handed })])
}

async function attempt(progress: Progress, attempts: ReturnType<typeof approvalAttempts>): Promise<void> {
  for (const one of attempts) progress.refusal(await make(one))
}
