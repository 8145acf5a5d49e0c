import { ask, workflow } from '../remit/crew.ts'
import { book, collect } from '../remit/work.ts'
import { answered } from '../seen.ts'
import { THEFT, WORKFLOW } from '../story.ts'
import type { Attempt, Case, Threat } from '../threat.ts'
import type { World } from '../world.ts'

export const workflowTampering: Threat = {
  id: 'T6',
  name: 'Workflow Definition Tampering',
  aim: 'Change the definition of the workflow so that a payment needs no review.',
  cases: [world => tampering(world, 's'), world => tampering(world, 'c')],
}

/**
 * Both have the client’s credential, which registers workflows. To be strong the attacker also has the payer ask in the
 * tampered workflow: by a lie to it under `s`, with its key under `c`.
 */
async function tampering({ plain, remit }: World, power: 's' | 'c'): Promise<Case> {
  const crew = await remit.hire()
  const { client, members } = crew
  const endpoint = remit.metadata.ajwt_workflow_registration_endpoint
  const registering = async () => await client.clientToken(remit.metadata.issuer, 'register:workflow')
  const register = async (body: object) => await client.call('POST', endpoint, await registering(), body)
  /** Without the gate, and with a payment that needs no approval. */
  const loose = (workflow_id: string) => {
    const { steps, ...rest } = workflow(remit.api.url, workflow_id)
    const kept = steps.filter(step => step.approval_gate !== true)
    return {
      ...rest,
      steps: kept.map(step => ({ ...step, ...(step.step_id === 'pay' && { requires_approval: false }) })),
    }
  }
  const payIn = async (execution_id: string | undefined) =>
    answered(await ask(remit, crew, members.payer, { step: 'pay', execution_id, arguments: THEFT }))
  /** Everything that an execution needs but the approval. */
  const ready = async () => {
    const execution = await collect(remit, crew)
    await book(remit, crew, execution)
    return execution.execution_id
  }

  const remitAttempts: readonly Attempt[] = [
    {
      what: 'Take the gate out of the workflow, begin an execution of it, and pay',
      refused: '403 workflow_step_unauthorized (approval_pending)',
      async run() {
        await register(loose(WORKFLOW))
        return await payIn(await ready())
      },
    },
    {
      what: 'Take the gate out while an execution runs, and pay in it',
      refused: '403 workflow_step_unauthorized (approval_pending)',
      async run() {
        const execution_id = await ready()
        await register(loose(WORKFLOW))
        return await payIn(execution_id)
      },
    },
    {
      what: 'Register another workflow that has no gate, and pay in it',
      refused: '400 invalid_scope (approval_required)',
      async run() {
        await register({ workflow_id: 'express', steps: [{ step_id: 'pay', agent_id: 'payer' }] })
        const named = { workflow_id: 'express', workflow_step: 'pay' }
        return answered(await ask(remit, crew, members.payer, { more: named }))
      },
    },
    {
      what: 'Withdraw the workflow, so that no rule is left',
      refused: '403 workflow_step_unauthorized (workflow_required)',
      async run() {
        const withdraw = `${remit.metadata.issuer}/intent/deregister/workflow?workflow_id=express`
        await client.call('POST', withdraw, await registering())
        return answered(await ask(remit, crew, members.payer, {}))
      },
    },
  ]
  return {
    power,
    how: 'A version that removes or loosens a gate waits for the approval of another owner, running executions keep theirs, and the API’s owner has marked the scope: no definition of anybody’s gives it without an approval.',
    plain: [
      {
        what: 'Leave the review out: nothing but the app’s own code knows of it',
        run: async () => answered(await plain.callWith(await plain.token(), 'POST', '/payments', THEFT)),
      },
    ],
    remit: remitAttempts,
  }
}
