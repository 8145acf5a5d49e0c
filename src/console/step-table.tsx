import { Badge, Id } from './badge.tsx'
import { AccessList } from './grant-list.tsx'
import { ForeignText } from './marked-text.tsx'
import { Scroll } from './scroll.tsx'
import { agentOf } from './step-box.tsx'
import { type ChangedStep, marksOf } from './workflow-graph.ts'

/** Everything that the drawing shows, and the access of each step, as a table. */
export function StepTable({ steps, compared }: { steps: readonly ChangedStep[]; compared: boolean }) {
  return (
    <Scroll kind="steps" label="Steps">
      <table>
        <caption class="hear">Steps in the order of the definition</caption>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">Agent</th>
            <th scope="col">After</th>
            <th scope="col">Marks</th>
            <th scope="col">Access</th>
            {compared && <th scope="col">Change</th>}
          </tr>
        </thead>
        <tbody>
          {steps.map(changed => (
            <StepRow key={`${changed.change} ${changed.step.step_id}`} changed={changed} compared={compared} />
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

function StepRow({ changed: { step, change, changes }, compared }: { changed: ChangedStep; compared: boolean }) {
  const { step_id, agent_id, action, access, dependencies } = step
  return (
    <tr class={change}>
      <th scope="row">
        <Id id={step_id} />
        {action !== null && (
          <p class="quiet">
            <ForeignText text={action} />
          </p>
        )}
      </th>
      <td>{agent_id === null ? <span class="quiet">{agentOf(step)}</span> : <Id id={agent_id} />}</td>
      <td class="ids">
        {dependencies.length === 0 ? (
          <span class="quiet">–</span>
        ) : (
          dependencies.map(name => <Id key={name} id={name} />)
        )}
      </td>
      <td>{marksOf(step).join(', ')}</td>
      <td>{access === null ? <span class="quiet">the agent's grant</span> : <AccessList access={access} />}</td>
      {compared && (
        <td>
          {change !== 'same' && <Badge state={change} />}
          {changes.map(text => (
            <p key={text} class="change">
              <ForeignText text={text} />
            </p>
          ))}
        </td>
      )}
    </tr>
  )
}
