/**
 * A view that fails while it is drawn, by a value that the console does not expect, leaves the rest of the page usable.
 */
import { Component, type ReactNode } from 'react';
import { Failure } from './states.tsx';

interface State {
  readonly error: Error | undefined;
}

export class Boundary extends Component<{ children: ReactNode }, State> {
  override state: State = { error: undefined };

  static getDerivedStateFromError(thrown: unknown): State {
    return { error: thrown instanceof Error ? thrown : new Error(String(thrown)) };
  }

  override render(): ReactNode {
    const { error } = this.state;
    return error === undefined ? (
      this.props.children
    ) : (
      <Failure error={error} title="The view cannot be drawn." retry={() => this.setState({ error: undefined })} />
    );
  }
}
