import type { Operator } from '../administration.ts'
import type { Attempt } from '../attempt.ts'
import { type Answer, callApi } from '../remit-client.ts'
import { approver, ask, delegate, type Minted, minted, type PatchScene } from './scene.ts'
import { CHANGE, FOREIGN_CLIENT } from './story.ts'

const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'
const delegation = { status: 403, error: 'delegation_unauthorized' }
const step = { status: 403, error: 'workflow_step_unauthorized' }

type Waiting = {
  readonly ben: Operator
  readonly approval_id: string
  readonly execution_id: string
  readonly plan: Minted
  readonly patch: () => Promise<Answer>
}

/** What must not work while the patch waits. */
export function approvalAttempts(scene: PatchScene, waiting: Waiting): readonly Attempt[] {
  const { ben, approval_id, execution_id, plan, patch } = waiting
  const decide = (by: Operator, arguments_digest: string | null) =>
    by.post(`/approvals/${approval_id}`, { decision: 'grant', arguments_digest, reason: 'It looks good.' })
  return [
    {
      name: 'approved_by_initiator',
      attack: 'Alice, who asked for it, approves it with her operations account',
      meaning: 'Two records of one issuer, one person: whoever started it does not approve it.',
      expected: { status: 403, error: 'forbidden' },
      async run() {
        const alice = await approver(scene, 'alice')
        const { arguments_digest } = await alice.read(`/approvals/${approval_id}`)
        return await decide(alice, String(arguments_digest))
      },
    },
    {
      name: 'approved_something_else',
      attack: 'An approval for other arguments than the patcher sent',
      meaning: 'An approval names what was read. Whatever was shown to Ben is what he approves, or nothing.',
      expected: { status: 409, error: 'conflict' },
      run: () => decide(ben, 'A'.repeat(43)),
    },
    {
      name: 'patch_unapproved',
      attack: 'The patcher asks again and again before anybody decided',
      meaning: 'It gets the same approval named, and no token.',
      expected: { ...step, ajwt_error: 'approval_pending' },
      run: patch,
    },
    {
      name: 'widened_delegation',
      attack: 'The planner, who may read, hands on the right to write within its own step',
      meaning: 'Within a step a delegation only ever narrows what its delegator holds.',
      expected: delegation,
      async run() {
        const assertion = await delegate(scene, plan, 'patcher', { step_id: 'plan', scope: 'repo:write' })
        return await ask(scene, 'patcher', { step_id: 'plan', execution_id, assertion })
      },
    },
  ]
}

type Running = { readonly execution_id: string; readonly handed: string }

/** Lies about steps, people and chains, told in a running execution. */
export function executionAttempts(scene: PatchScene, running: Running): readonly Attempt[] {
  const { execution_id, handed } = running
  const begin = async () => {
    const subject_token = await scene.foreign.signIn('ben', FOREIGN_CLIENT)
    const more = { subject_token, subject_token_type: ID_TOKEN }
    return minted(await ask(scene, 'supervisor', { step_id: 'triage', more })).claims.intent?.execution_id ?? ''
  }
  let begun: Promise<string> | undefined
  /** Ben's execution. One sign-in: two within a second give one ID token, and one token opens one execution. */
  const another = () => {
    begun ??= begin()
    return begun
  }
  return [
    {
      name: 'claimed_steps',
      attack: 'The patcher starts a new execution and says that all before its step is done',
      meaning: 'What is done stands in the record of the server. A list in the request is only compared with it.',
      expected: { ...step, missing_steps: ['plan', 'reproduce', 'review'] },
      run: async () =>
        ask(scene, 'patcher', {
          ...{ step_id: 'patch', execution_id: await another(), arguments: CHANGE },
          more: { delegation_context: { completed_steps: ['triage', 'plan', 'reproduce', 'review'] } },
        }),
    },
    {
      name: 'left_step',
      attack: 'The planner goes back to its step after the patch has begun',
      meaning: 'A step that was left is over, unless the workflow says that it may be repeated.',
      expected: step,
      run: () => ask(scene, 'planner', { step_id: 'plan', execution_id }),
    },
    {
      name: 'grafted_chain',
      attack: 'The assertion that the patcher holds, taken into another execution',
      meaning: 'A delegation belongs to the execution in which it was given.',
      expected: delegation,
      async run() {
        const execution_id = await another()
        minted(await ask(scene, 'planner', { step_id: 'plan', execution_id }))
        minted(await ask(scene, 'tester', { step_id: 'reproduce', execution_id }))
        return await ask(scene, 'patcher', { step_id: 'patch', execution_id, arguments: CHANGE, assertion: handed })
      },
    },
    {
      name: 'stolen_assertion',
      attack: 'The supervisor presents the assertion that was made for the patcher, for the step of the patcher',
      meaning: 'An assertion names its delegate and the key of it. In other hands it is a piece of text.',
      expected: delegation,
      run: () => ask(scene, 'supervisor', { step_id: 'patch', execution_id, arguments: CHANGE, assertion: handed }),
    },
    {
      name: 'joined_execution',
      attack: 'Ben’s own ID token, to join the execution that Alice began',
      meaning: 'An execution serves one person’s intent. Nobody else’s token gets in.',
      expected: delegation,
      async run() {
        const subject_token = await scene.foreign.signIn('ben', FOREIGN_CLIENT)
        const more = { subject_token, subject_token_type: ID_TOKEN }
        return await ask(scene, 'supervisor', { step_id: 'triage', execution_id, more })
      },
    },
  ]
}

type Applied = { readonly token: Minted; readonly patch: () => Promise<Answer> }

/** What must not work once the patch was applied. */
export function afterAttempts(scene: PatchScene, { token, patch }: Applied): readonly Attempt[] {
  const { key } = scene.agents.patcher
  return [
    {
      name: 'patch_twice',
      attack: 'The patcher asks for a second token for what cannot be undone',
      meaning: 'The step says reversible: false. It gets one token, whatever was lost on the way.',
      expected: { ...step, ajwt_error: 'limit_exceeded' },
      run: patch,
    },
    {
      name: 'changed_body',
      attack: 'The approved token with another change in the body',
      meaning: 'The API compares the digest that was approved with what it is asked to do.',
      expected: { status: 403, error: 'intent_denied' },
      run: () => callApi('POST', `${scene.repo}/patches`, token.access_token, key, { ...CHANGE, line: 7 }),
    },
  ]
}

/** The delegation that worked, once the execution is revoked. */
export function revokedAttempt(scene: PatchScene, { execution_id, handed }: Running): Attempt {
  return {
    name: 'revoked_execution',
    attack: 'The patcher once more, after the execution was revoked',
    meaning: 'A revocation reaches everything below it at once: executions, tokens, delegations.',
    expected: step,
    run: () => ask(scene, 'patcher', { step_id: 'patch', execution_id, arguments: CHANGE, assertion: handed }),
  }
}
