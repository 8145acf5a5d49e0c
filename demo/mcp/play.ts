import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { approvalDetailSchema } from '../../src/protocol/approval.ts'
import { type ExecutionView, executionViewSchema } from '../../src/protocol/execution.ts'
import { type Attempt, make } from '../attempt.ts'
import type { Progress } from '../progress.ts'
import { expectStatus, send } from '../remit-client.ts'
import { processAttempts, readerAttempts, rugPullAttempt, writerAttempt } from './attempts.ts'
import type { Call, Done, Measured, Task } from './messages.ts'
import { startMiddleMan } from './middle-man.ts'
import type { NotesScene } from './set-up.ts'
import type { SpawnedAgent } from './spawn-agent.ts'
import { NOTES, NOTES_WORKFLOW, RELEASE_NOTES } from './story.ts'

/** One thing that an agent did, and where its time went. */
export type MeasuredCall = Measured & { readonly agent_id: string; readonly step: string }

/** What the report draws of the third act. */
export type NotesFindings = {
  execution?: ExecutionView
  agents?: readonly SpawnedAgent[]
  approved?: string
  readonly calls: MeasuredCall[]
}

type Playing = { readonly progress: Progress; readonly findings: NotesFindings }
type Handoff = NonNullable<Done['handoff']>

/** The planner reads and hands over, Anna approves the exact arguments, the writer writes, the checker reads. */
export async function playNotes(scene: NotesScene, { progress, findings }: Playing): Promise<void> {
  const { agents, resource, folder, anna } = scene
  const { planner, writer, checker } = agents
  findings.agents = [planner, writer, checker]
  const toWrite = { tool: 'write_file', arguments: { path: `${folder}/release-notes.md`, content: RELEASE_NOTES } }

  await progress.step('mcp_challenge', 'Find the server from a 401', async () => ({
    detail: `${await issuerOf(resource)}, by the RFC 9728 document of the MCP server`,
    result: undefined,
  }))
  const { plan, handoff } = await progress.step('planner_works', 'The planner reads, and hands over', async () => {
    const task = planTask(scene)
    const next = { to: { sub: writer.sub, jkt: writer.jkt }, workflow_step: 'write', scope: ['files:write'] }
    const done = await planner.work({ ...task, hand_over: next })
    remember(findings, planner, 'plan', done)
    const [list = '', monday] = done.texts
    if (monday !== NOTES['monday.md'] || !list.includes('tuesday.md')) throw new Error('It read something else.')
    const { execution_id } = done
    if (!done.handoff || execution_id === undefined) throw new Error('It handed nothing over.')
    const result = { plan: { ...task, execution_id }, handoff: done.handoff }
    return { detail: `${done.texts.length} tool calls; step write signed over to process ${writer.pid}`, result }
  })
  const middleMan = await startMiddleMan(resource, scene.defer)
  await attempt(progress, readerAttempts(scene, plan, middleMan))
  await attempt(progress, processAttempts(scene, { handoff, toWrite }))
  await attempt(progress, [rugPullAttempt(scene, plan)])

  const write = writeTask(handoff, toWrite, checker)
  const approval_id = await progress.step('writer_waits', 'The writer must wait for a person', async () => {
    const { status, body } = await writer.refused(write)
    if (status !== 403 || body.ajwt_error !== 'approval_pending') throw new Error(`expected to wait, saw ${status}`)
    return { detail: `403, and it opened ${body.approval_id}`, result: String(body.approval_id) }
  })
  await progress.step('approve_write', 'Anna reads the exact arguments and approves', async () => {
    const detail = approvalDetailSchema.parse(await anna.read(`/approvals/${approval_id}`))
    const { arguments_digest } = detail
    const decision = { decision: 'grant', arguments_digest, reason: 'Read: two lines, as planned.' }
    expectStatus(await anna.post(`/approvals/${approval_id}`, decision), 200)
    findings.approved = detail.arguments ?? ''
    return { detail: findings.approved, result: undefined }
  })
  const next = await progress.step('writer_works', 'The writer writes exactly that', async () => {
    const done = await writer.work(write)
    remember(findings, writer, 'write', done)
    if ((await readFile(toWrite.arguments.path, 'utf8')) !== RELEASE_NOTES) throw new Error('The file has other text.')
    if (!done.handoff) throw new Error('It handed nothing over.')
    return { detail: `${done.texts.join(' ')}; step check signed over to process ${checker.pid}`, result: done.handoff }
  })
  await attempt(progress, [writerAttempt(scene, write)])
  await progress.step('checker_works', 'The checker reads it, as an AI SDK agent', async () => {
    const done = await checker.work(checkTask(next, toWrite.arguments.path))
    remember(findings, checker, 'check', done)
    if (done.texts[0] !== RELEASE_NOTES) throw new Error('It read something else.')
    return {
      detail: 'the mock model of the package asked for the tool; what was written is what was approved',
      result: 0,
    }
  })
  findings.execution = executionViewSchema.parse(await anna.read(`/executions/${plan.execution_id}`))
}

function planTask({ folder }: NotesScene): Task {
  return {
    ...{ workflow_id: NOTES_WORKFLOW, workflow_step: 'plan', scope: ['files:read'] },
    calls: [
      { tool: 'list_directory', arguments: { path: folder } },
      { tool: 'read_text_file', arguments: { path: `${folder}/monday.md` } },
      { tool: 'read_text_file', arguments: { path: `${folder}/tuesday.md` } },
    ],
  }
}

function writeTask(handoff: Handoff, call: Call, { sub, jkt }: SpawnedAgent): Task {
  return {
    ...{ workflow_id: NOTES_WORKFLOW, workflow_step: 'write', scope: ['files:write'], handoff },
    ...{ arguments: call.arguments, calls: [call] },
    hand_over: { to: { sub, jkt }, workflow_step: 'check', scope: ['files:read'] },
  }
}

function checkTask(handoff: Handoff, path: string): Task {
  const calls = [{ tool: 'read_text_file', arguments: { path } }]
  return { workflow_id: NOTES_WORKFLOW, workflow_step: 'check', scope: ['files:read'], handoff, calls }
}

const resourceMetadataSchema = z.object({ resource: z.string(), authorization_servers: z.array(z.string()) })

/** What a client that knows nothing but the address of the MCP server does (RFC 9728 section 5). */
async function issuerOf(resource: string): Promise<string> {
  const refused = await send('POST', resource, {}, { jsonrpc: '2.0', id: 1, method: 'tools/list' })
  const [, url = ''] = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
  const document = resourceMetadataSchema.parse(expectStatus(await send('GET', url, {}), 200))
  const [issuer] = document.authorization_servers
  if (document.resource !== resource || issuer === undefined) throw new Error('The document is of something else.')
  return issuer
}

function remember({ calls }: NotesFindings, agent: SpawnedAgent, step: string, done: Done): void {
  const { agent_id } = agent
  calls.push(...[...agent.measured, ...done.measured].map(call => ({ ...call, agent_id, step })))
}

async function attempt(progress: Progress, attempts: readonly Attempt[]): Promise<void> {
  for (const one of attempts) progress.refusal(await make(one))
}
