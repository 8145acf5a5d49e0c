import { Fragment } from 'preact'

/** The policies of a client by name; one that has several values has a line for each. */
export function PolicyList({ policies }: { policies: Readonly<Record<string, unknown>> }) {
  return (
    <dl>
      {Object.entries(policies).map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>
            {valuesOf(value).map(text => (
              <p key={text}>
                <code>{text}</code>
              </p>
            ))}
          </dd>
        </Fragment>
      ))}
    </dl>
  )
}

function valuesOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [String(value)]
  const entries = Object.entries(value)
  if (entries.length === 0) return ['none']
  return entries.map(([name, one]) => `${name}: ${typeof one === 'string' ? one : JSON.stringify(one)}`)
}
