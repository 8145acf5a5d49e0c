import type { z } from 'zod'
import type { grantViewSchema } from '../protocol/agent-views.ts'

type Access = readonly { readonly resource: string; readonly scope: string }[]

/** Pairs of a resource and the scopes given there. */
export function AccessList({ access }: { access: Access }) {
  if (access.length === 0) return <span class="quiet">nothing</span>
  return (
    <ul class="access">
      {access.map(({ resource, scope }) => (
        <li key={resource + scope}>
          <code class="id">{resource}</code>
          <span class="scopes">
            {scope.split(' ').map(name => (
              <code key={name}>{name}</code>
            ))}
          </span>
        </li>
      ))}
    </ul>
  )
}

export function GrantList({ grant }: { grant: z.output<typeof grantViewSchema> }) {
  return (
    <>
      <AccessList access={grant.access} />
      {grant.outside_workflow && <p class="quiet">also outside a workflow that assigns it a step</p>}
    </>
  )
}
